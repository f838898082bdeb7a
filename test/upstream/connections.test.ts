import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { Circuit } from '../../src/upstream/circuit.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n'
const upload = 'POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 1000000\r\n\r\nabc'
const handshake = 'GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

/** Settles when all that the event loop had to do is done, the answer of a connection of our own to the upstream included. */
async function settled (url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  for (let i = 0; i < 3; i++) {
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.destroy()
    await once(socket, 'close')
  }
}

t.test('a client that leaves costs the upstream no connection that nobody asked for', async t => {
  for (const [name, message] of [['before the answer', get], ['within its upload', upload], ['within a WebSocket’s dial', handshake]] as const) {
    for (const leave of ['reset', 'FIN'] as const) {
      await t.test(`${name}, ${leave}`, async t => {
        const asked: Socket[] = []
        let connections = 0
        let arrived: (() => void) | undefined
        const upstream = await startRawUpstream(t, socket => {
          connections++
          socket.once('data', () => { asked.push(socket); arrived?.() })
        })
        const { port } = await startSidecar(t, { upstream: upstream.url })
        for (let i = 0; i < 20; i++) {
          const arrival = new Promise<void>(resolve => { arrived = resolve })
          const { socket } = new RawClient(t, port)
          socket.write(message)
          await arrival
          const gone = once(asked[i] as Socket, 'close')
          if (leave === 'reset') socket.resetAndDestroy()
          else socket.destroy()
          await gone
        }
        await settled(upstream.url)
        t.equal(connections - 3, 20, 'one for each request, and those of the test')
      })
    }
  }
})

t.test('neither does an answer that can not be sent on, nor a question about a token that is not answered in time', async t => {
  let connections = 0
  const upstream = await startRawUpstream(t, socket => {
    connections++
    socket.once('data', chunk => { if (!String(chunk).includes('/v1/models')) socket.write('HTTP/1.1 200 OK\r\nX-Bad: a\x01b\r\nContent-Length: 0\r\n\r\n') })
  })
  const bad = await startSidecar(t, { upstream: upstream.url })
  t.equal((await request(`${bad.url}/v1/x`, { headers: bearer('good') })).statusCode, 502)
  await settled(upstream.url)
  t.equal(connections - 3, 1)
  const asking = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_PROBE: 'first-use' }, times: { probe: 50 } })
  t.equal((await request(`${asking.url}/v1/x`, { headers: bearer('good') })).statusCode, 502, 'it goes on once the question is given up')
  await settled(upstream.url)
  t.equal(connections - 6, 3, 'the question and the request')
})

t.test('a client that leaves while its upstream is connected to ends that', async t => {
  for (const [way, scheme] of [['in the TLS handshake', undefined], ['at an HTTP proxy', 'http:'], ['at a SOCKS proxy', 'socks5h:']] as const) {
    await t.test(way, async t => {
      const dials: Socket[] = []
      let arrived: (() => void) | undefined
      const upstream = await startRawUpstream(t, socket => {
        socket.once('data', () => { dials.push(socket); arrived?.() }) // a handshake begins, and goes on no further
      })
      const { port, line } = await startSidecar(t, {
        ...scheme === undefined ? { upstream: upstream.url.replace('http:', 'https:') } : { upstream: 'https://upstream.test', env: { HTTPS_PROXY: upstream.url.replace('http:', scheme) } },
        times: { connect: 300_000 }
      })
      for (const [i, message] of [get, upload, handshake].entries()) {
        const arrival = new Promise<void>(resolve => { arrived = resolve })
        const { socket } = new RawClient(t, port)
        socket.write(message)
        await arrival
        const gone = once(dials[i] as Socket, 'close')
        socket.destroy()
        await gone
      }
      t.match(await line(({ path }) => path === '/v1/files'), { ending: 'client_gone' })
      await settled(upstream.url)
      t.equal(upstream.connections - 3, 3)
    })
  }
})

t.test('connects that were under way when an outage began count once, and only a trial’s failure doubles the wait', t => {
  const time = { now: 1 }
  const circuits: Circuit[] = []
  const circuit = new Circuit({ monotonic: () => time.now, wall: () => 0 }, 10_000, circuits)
  const other = new Circuit({ monotonic: () => time.now, wall: () => 0 }, 10_000, circuits)
  circuits.push(circuit, other)
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const rounds = Array.from({ length: 12 }, () => circuit.begin())
  for (const round of rounds) circuit.failed(refused, round)
  t.equal(circuit.trouble?.retryIn, 1_000)
  time.now += 1_000
  t.equal(circuit.passes, true)
  circuit.enter()
  t.equal(circuit.passes, false, 'one tries')
  const trial = circuit.begin()
  circuit.abandoned(trial)
  circuit.abandoned(rounds[0] as number)
  t.equal(circuit.passes, true, 'its client left: the next one tries')
  circuit.failed(refused, trial)
  t.equal(circuit.trouble?.retryIn, 2_000)
  circuit.failed(refused, trial)
  t.equal(circuit.trouble?.retryIn, 2_000)
  other.succeeded()
  t.equal(circuit.passes, true, 'another lane’s connect says that it is worth a trial')
  const late = circuit.begin()
  circuit.succeeded()
  for (let i = 0; i < 5; i++) circuit.failed(refused, late)
  t.equal(circuit.open, false, 'what began before the upstream was back says nothing')
  t.end()
})

t.test('after an outage under a second with 12 requests at once the first trial is let through within two', async t => {
  const time = { now: 1 }
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { port } = new URL(upstream.url)
  upstream.server.close()
  await once(upstream.server, 'close')
  const { url } = await startSidecar(t, { upstream: upstream.url, clock: { monotonic: () => time.now, wall: () => Date.now() } })
  const ask = async (): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer('good') })
    await body.dump()
    return statusCode
  }
  t.strictSame(new Set(await Promise.all(Array.from({ length: 12 }, ask))), new Set([502]))
  upstream.server.listen(Number(port), '127.0.0.1')
  await once(upstream.server, 'listening')
  t.equal(await ask(), 502)
  time.now += 1_000
  t.strictSame(await Promise.all([ask(), ask()]), [200, 502], 'one tries')
  t.equal(await ask(), 200)
})

t.test('junk that can not connect refuses neither a live session nor what has a kept socket', async t => {
  const sockets: Socket[] = []
  let release: (() => void) | undefined
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    socket.on('data', chunk => {
      const answer = (): void => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') }
      if (String(chunk).startsWith('GET /v1/held')) release = answer
      else answer()
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await once(server, 'listening')
  const { url } = await startSidecar(t, { upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const ask = async (authorization: string, path = 'models'): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/${path}`, { headers: { authorization } })
    await body.dump()
    return statusCode
  }
  for (const authorization of ['Bearer good', 'Bearer good']) t.equal(await ask(authorization), 200) // one in each lane
  server.close() // what is connected stays
  const held = ask('Basic abc', 'held')
  while (release === undefined) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(new Set(await Promise.all(Array.from({ length: 12 }, (_, i) => ask(`Bearer junk-${i}`)))), new Set([502]))
  t.match(await (await request(`${url}/metrics`)).body.text(), 'codex_sidecar_circuit_open{route="/v1"} 1\n')
  t.equal(await ask('Bearer good'), 200)
  release()
  t.equal(await held, 200)
  t.equal(await ask('Basic other'), 200)
  t.strictSame(await Promise.all([ask('Bearer good'), ask('Bearer good')]), [200, 502], 'only as many as there are kept sockets')
})
