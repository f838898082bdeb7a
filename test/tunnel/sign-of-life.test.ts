import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { deliveryOf, type Delivery } from '../../src/tunnel/delivery.ts'
import { Tunnel } from '../../src/tunnel/tunnel.ts'
import { closeFrame, FrameTracker, pingFrames, textFrame } from '../../src/wire/frames.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startUpstream } from '../fixtures/upstream.ts'

/** Both ends of a connection on loopback. */
async function pair (t: Test): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = await once(server, 'connection') as [Socket]
  server.close()
  for (const socket of [near, far]) socket.on('error', () => {})
  t.teardown(() => { near.destroy(); far.destroy() })
  return [near, far]
}

const text = '\x81\x85\0\0\0\0hello'

/** A tunnel between two ends that a test holds, and what they got. */
async function join (t: Test, { delivery = 'acknowledged', pongs = false, ping = 40 }: { delivery?: Delivery, pongs?: boolean, ping?: number } = {}) {
  const [client, ours] = await pair(t)
  const [upstream, theirs] = await pair(t)
  const got = { client: '', upstream: '' }
  client.setEncoding('latin1').on('data', (chunk: string) => { got.client += chunk })
  upstream.setEncoding('latin1').on('data', (chunk: string) => { got.upstream += chunk })
  let asked = 0
  new Tunnel({
    client: ours, upstream: theirs, explains: true, overhear: () => {}, doubt: () => {}, idle: 60_000, quiet: 2_000, idleDownload: 60_000, ping,
    pongs: { seen: pongs }, delivery: () => { asked++; return Promise.resolve(delivery) }, onEnd: () => {}
  })
  t.teardown(() => { client.destroy() })
  const until = async (holds: () => boolean): Promise<void> => { while (!holds()) await new Promise(resolve => setTimeout(resolve, 5)) }
  return { client, upstream, theirs, got, until, asked: () => asked }
}

const PING = /\x89\x88.{12}/s
/** The pong that answers the first ping in what an upstream got. */
const pongTo = (got: string): Buffer => {
  const ping = Buffer.from(PING.exec(got)?.[0] ?? '', 'latin1')
  return pingFrames(Buffer.from(ping.subarray(6).map((byte, i) => byte ^ (ping[2 + i % 4] as number))), Buffer.alloc(4)).pong
}

t.test('an upstream that is silent to a message is asked for a sign of life, which is for us alone', async t => {
  const { client, upstream, got, until, asked } = await join(t, { delivery: 'unknown', ping: 1_000 })
  client.write('\x89\x80\0\0\0\0', 'latin1') // a ping of the client's is no message
  await until(() => got.upstream.length === 6)
  upstream.write('\x89\x01x', 'latin1') // a ping of its own, and a message that nobody asked for
  upstream.write(textFrame('hi'))
  await until(() => got.client.length === 7)
  client.write(text, 'latin1')
  await until(() => PING.test(got.upstream))
  t.match(got.upstream, /^\x89\x80\0{4}\x81\x85\0{4}hello\x89\x88.{12}$/s, 'between its frames, and masked')
  const pong = pongTo(got.upstream)
  const before = got.client
  const other = Buffer.from(pong)
  other[9] = (other[9] as number) ^ 1
  const beginning = Buffer.concat([Buffer.from('\x8a\0', 'latin1'), other, textFrame(pong.toString('latin1')), textFrame('half')])
  upstream.write(Buffer.concat([beginning, pong.subarray(0, 4)]))
  await until(() => got.client.endsWith('half')) // what may be ours waits for its end
  upstream.write(Buffer.concat([pong.subarray(4), pong, textFrame('answer')]))
  await until(() => got.client.endsWith('answer'))
  t.equal(got.client.slice(before.length), Buffer.concat([beginning, pong, textFrame('answer')]).toString('latin1'), 'byte for byte but for the one that answers ours')
  const pings = got.upstream.split(PING).length
  await new Promise(resolve => setTimeout(resolve, 2_600)) // twice the patience and more: what is answered is not asked for
  t.equal(got.upstream.split(PING).length, pings)
  t.ok(asked() <= 1)
  client.write(text, 'latin1')
  await until(() => got.upstream.split(PING).length > pings)
  t.pass('the next message is')
})

t.test('an upstream without a sign of life ends with Close 1011, and one that is only quiet does not', async t => {
  const cases: [name: string, given: Parameters<typeof join>[1], ends: boolean][] = [
    ['the system does not get rid of what was sent', { delivery: 'lost' }, true],
    ['its system has it: a server may answer no ping', { delivery: 'acknowledged', pongs: true }, false],
    ['nobody knows, and it has answered pings before', { delivery: 'unknown', pongs: true }, true],
    ['nobody knows, and it may answer none', { delivery: 'unknown' }, false]
  ]
  for (const [name, given, ends] of cases) {
    for (const spoken of [false, true]) {
      await t.test(`${name}${spoken ? ', after a message of the upstream' : ''}`, async t => {
        const { client, upstream, got, until, asked } = await join(t, given)
        if (spoken) {
          upstream.write(textFrame('hi'))
          await until(() => got.client.length === 4)
        }
        const over = once(client, 'end')
        client.write(text, 'latin1')
        if (ends) {
          const more = setInterval(() => client.write(text, 'latin1'), 10) // no sign of life either
          await over
          clearInterval(more)
          t.match(got.client, spoken ? /^\x81\x02hi\x81~..\{"type":"error".*\x88.\x03\xf3upstream_timeout: .*no sign of life/s : /^\x88.\x03\xf3upstream_timeout: .*no sign of life/s)
        } else {
          await until(() => asked() === 3)
          t.equal(got.client, spoken ? '\x81\x02hi' : '')
          upstream.write(textFrame('late'))
          await until(() => got.client.endsWith('late'))
        }
      })
    }
  }
})

t.test('no ping goes into a frame of the client, nor beside one of its own, nor while it is we who do not read', async t => {
  await t.test('into a frame', async t => {
    const { client, got, until, asked } = await join(t)
    client.write(`${text}\x81\x85\0`, 'latin1')
    await until(() => asked() === 2)
    t.equal(got.upstream, `${text}\x81\x85\0`)
  })
  await t.test('beside its own', async t => {
    const { client, got, until, asked } = await join(t)
    client.write(`${text}\x89\x80\0\0\0\0`, 'latin1')
    await until(() => asked() === 2)
    t.equal(got.upstream, `${text}\x89\x80\0\0\0\0`)
  })
  await t.test('while the client takes nothing', async t => {
    const { client, upstream, theirs, got, until, asked } = await join(t, { delivery: 'lost' })
    client.pause()
    while (upstream.write(Buffer.alloc(1 << 20, textFrame('x'.repeat(1022))))) { /* until it is full */ }
    upstream.write(Buffer.alloc(16 << 20, textFrame('x'.repeat(1022))))
    await until(() => theirs.isPaused())
    client.write(text, 'latin1')
    await until(() => got.upstream === text)
    await new Promise(resolve => setTimeout(resolve, 300))
    t.equal(asked(), 0)
    t.equal(got.upstream, text)
  })
  await t.test('nor to one that has closed', async t => {
    const { client, upstream, got, until, asked } = await join(t, { delivery: 'lost', ping: 1_000 })
    client.write(text, 'latin1')
    await until(() => PING.test(got.upstream))
    const over = once(client, 'end')
    upstream.end(closeFrame(1000, 'bye'))
    await over
    await until(() => asked() === 1)
    t.ok(got.client.endsWith('bye'))
  })
})

t.test('a server that answers no ping is left alone: its system acknowledges', async t => {
  const upstream = await startUpstream(t, () => {})
  const server = new WebSocketServer({ server: upstream.server, autoPong: false })
  let pings = 0
  server.on('connection', socket => {
    socket.on('ping', () => { if (++pings === 3) socket.send('at last') })
  })
  const { url } = await startSidecar(t, { upstream: upstream.url, times: { ping: 40 } })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
  await once(socket, 'open')
  socket.send('hello')
  const [message] = await once(socket, 'message') as [Buffer]
  t.equal(message.toString(), 'at last')
  socket.terminate()
})

t.test('what the system knows of the bytes sent', async t => {
  const [near, far] = await pair(t)
  near.write('hello')
  await once(far, 'data')
  const known = await deliveryOf(near, false)
  t.ok(process.platform === 'linux' ? known === 'acknowledged' : known === 'unknown', known)
  const row = (ports: string, timer: string, retransmits: string, probes: string): string =>
    `   0: 0100007F:${ports.slice(0, 4)} 0200000A:${ports.slice(5)} 01 00000010:00000000 ${timer}:00000010 ${retransmits}     0        ${probes} 26530 3 0000000013e1bd58 20 4 30 10 -1\n`
  const ports = { localPort: 0xa397, remotePort: 0x1bb }
  const cases: [name: string, tables: Record<string, string>, expected: Delivery][] = [
    ['nothing under way', { tcp: row('A397 01BB', '00', '00000000', '0') }, 'acknowledged'],
    ['sent again and again', { tcp: row('A397 01BB', '01', '00000005', '0') }, 'lost'],
    ['sent again once', { tcp: row('A397 01BB', '01', '00000001', '0') }, 'acknowledged'],
    ['asked for room again and again, over IPv6', { tcp: '', tcp6: row('A397 01BB', '04', '00000000', '12') }, 'lost'],
    ['without room, but with answers', { tcp: row('A397 01BB', '04', '00000000', '0') }, 'acknowledged'],
    ['keep-alive', { tcp: row('A397 01BB', '02', '00000000', '3') }, 'acknowledged'],
    ['two of the same ports', { tcp: row('A397 01BB', '01', '00000005', '0') + row('A397 01BB', '00', '00000000', '0') }, 'acknowledged'],
    ['others only', { tcp: row('01BB A397', '01', '00000005', '0') }, 'unknown'],
    ['no tables', {}, 'unknown']
  ]
  for (const [name, tables, expected] of cases) t.equal(await deliveryOf(ports, false, t.testdir(tables)), expected, name)
  t.equal(await deliveryOf(ports, true, t.testdir(cases[0]?.[1])), 'unknown', 'what a proxy has is not at the upstream')
  t.equal(await deliveryOf({ remotePort: 1 }, false), 'unknown')
})

t.test('frames of clients are followed too', t => {
  const tracker = new FrameTracker()
  t.equal(tracker.afterMessage, false)
  tracker.push(pingFrames(Buffer.from('abc'), Buffer.from([1, 2, 3, 4])).ping)
  t.equal(tracker.afterMessage, false, 'a ping is no message')
  tracker.push(Buffer.from('\x01\x81\0\0\0\0a', 'latin1'))
  t.equal(tracker.afterMessage, false, 'nor is half of one')
  tracker.push(Buffer.from('\x80\x81\0\0\0\0b', 'latin1'))
  t.match(tracker, { afterMessage: true, data: 2, pings: 1, pongs: 0 })
  t.end()
})
