import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import type { Clock } from '../../src/clock.ts'
import { Circuit } from '../../src/upstream/circuit.ts'
import { Knock } from '../../src/upstream/knock.ts'
import { Standstill } from '../../src/upstream/standstill.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { freePort } from '../fixtures/free-port.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'

const MINUTES = 600_000
const turn = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Clocks of a machine that can sleep: only one of them notices on Linux. */
function sleeper () {
  let slept = 0
  const clock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() + slept }
  return { clock, sleep: (): void => { slept += MINUTES } }
}

t.test('after a sleep nothing goes over connections from before it', async t => {
  const head = 'Host: a\r\nAuthorization: Bearer good\r\n'
  const kinds = {
    GET: `GET /v1/models HTTP/1.1\r\n${head}\r\n`,
    POST: `POST /v1/responses HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\n{}`,
    'a stream': `POST /v1/responses HTTP/1.1\r\n${head}Accept: text/event-stream\r\nContent-Length: 15\r\n\r\n{"stream":true}`,
    'a WebSocket': `GET /v1/responses HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
  }
  for (const [kind, message] of Object.entries(kinds)) {
    await t.test(kind, async t => {
      const { clock, sleep } = sleeper()
      const seen: string[] = []
      let deaf = 0
      const old: Socket[] = []
      // Each connection answers, and hears nothing any more once the machine has slept.
      const upstream = await startRawUpstream(t, (socket, i) => {
        if (deaf === 0) old.push(socket)
        socket.on('data', chunk => {
          if (i < deaf) return void seen.push('lost')
          seen.push(String(chunk).split(' ')[0] as string)
          socket.write(String(chunk).includes('websocket') ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n' : 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=600\r\nContent-Length: 4\r\n\r\nhere')
        })
      })
      const { port } = await startSidecar(t, { upstream: upstream.url, clock })
      const client = new RawClient(t, port)
      client.write(kinds.GET)
      t.match(await client.answer(), { status: 200 })
      client.write(kinds.GET)
      t.match(await client.answer(), { status: 200 })
      t.equal(upstream.connections, 2, 'a connection is kept in each lane')
      const gone = once(old[1] as Socket, 'close')
      deaf = 2
      sleep()
      const start = performance.now()
      client.write(message)
      await client.until(() => client.received.includes('\r\n\r\n'))
      t.comment(`${kind}: answered ${(performance.now() - start).toFixed(0)} ms after the sleep`)
      t.match(await client.answer(), { status: kind === 'a WebSocket' ? 101 : 200 })
      await gone
      t.strictSame(seen, ['GET', 'GET', message.split(' ')[0]], 'sent once, and over another one')
    })
  }
})

t.test('the standstill of a process is seen whether or not clocks tell, once, and only while there is reason to look', async t => {
  const clock = simulatedClock()
  let ends = 0
  let needed = true
  let looked: (() => void) | undefined
  const standstill = new Standstill(clock, () => { looked?.(); return needed }, () => { ends++ })
  t.teardown(() => { standstill.stop() })
  clock.advance(MINUTES)
  standstill.look()
  clock.advance(4_000)
  standstill.look()
  t.equal(ends, 0, 'nobody looked before')
  clock.advance(6_000)
  standstill.look()
  standstill.look()
  t.equal(ends, 1)
  const tick = async (): Promise<void> => {
    const keep = setInterval(() => {}, 1_000) // its own timer holds no process
    await new Promise<void>(resolve => { looked = resolve })
    clearInterval(keep)
  }
  clock.advance(6_000)
  await tick()
  t.equal(ends, 2, 'without a request too')
  needed = false
  await tick()
  clock.advance(6_000)
  standstill.look()
  t.equal(ends, 2, 'it looked no more')
})

t.test('a circuit lets requests try once either clock says so', async t => {
  const time = { monotonic: 1, wall: 1 }
  const circuit = new Circuit({ monotonic: () => time.monotonic, wall: () => time.wall }, 10_000)
  const fail = (): void => { circuit.failed(Object.assign(new Error('gone'), { code: 'ENETUNREACH' }), circuit.begin()) }
  for (let i = 0; i < 5; i++) fail()
  t.match([circuit.open, circuit.passes, circuit.trouble?.retryIn], [true, false, 1_000])
  time.wall += 5_000
  t.match([circuit.open, circuit.passes, circuit.trouble?.retryIn], [true, true, 0], 'after a sleep that only one of them saw')
  circuit.enter()
  t.equal(circuit.passes, false, 'one at a time')
  time.monotonic += 10_000
  t.equal(circuit.passes, true)
})

t.test('knocking ends with its reason, and when it is told to', async t => {
  const keep = setInterval(() => {}, 1_000) // its own timer holds no process
  t.teardown(() => { clearInterval(keep) })
  let knocks = 0
  let reached = 0
  let wanted = true
  let arrived: (() => void) | undefined
  let answer: (() => void) | undefined
  const knock = new Knock({
    reach: async () => {
      knocks++
      arrived?.()
      await new Promise<void>(resolve => { answer = resolve })
    },
    wanted: () => {
      if (!wanted) arrived?.()
      return wanted
    },
    onReached: () => { reached++ }
  })
  const next = async (): Promise<void> => new Promise(resolve => { arrived = resolve })
  knock.begin()
  knock.begin()
  await next()
  answer?.()
  await next()
  t.match([knocks, reached], [2, 1])
  knock.stop()
  answer?.()
  await turn()
  knock.begin()
  wanted = false
  await next()
  t.match([knocks, reached], [2, 2], 'one that is under way is let come to its end')
})

t.test('a knock that nobody answers does not hold up the next one', async t => {
  const keep = setInterval(() => {}, 1_000) // its own timer holds no process
  t.teardown(() => { clearInterval(keep) })
  let knocks = 0
  await new Promise<void>(resolve => {
    const knock = new Knock({
      reach: async () => {
        if (++knocks === 2) {
          knock.stop()
          resolve()
        }
        return new Promise(() => {})
      },
      wanted: () => true,
      onReached: () => {}
    })
    knock.begin()
  })
  t.equal(knocks, 2)
})

t.test('the network is found to be back before a request is', async t => {
  const port = await freePort()
  const clock = simulatedClock() // stands still, so that no wait of the circuit ever ends by itself
  const { url } = await startSidecar(t, { upstream: `http://127.0.0.1:${port}`, clock })
  const ask = async (): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer('good') })
    await body.dump()
    return statusCode
  }
  for (let i = 0; i < 8; i++) t.equal(await ask(), 502)
  let connects = 0
  const back = createServer(socket => {
    connects++
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  }).listen(port, '127.0.0.1')
  await once(back, 'listening')
  const start = performance.now()
  t.teardown(() => { back.close() })
  while (connects === 0) await turn()
  await turn()
  t.comment(`found out ${(performance.now() - start).toFixed(0)} ms after its return`)
  while (await ask() !== 200) await turn()
  t.equal(connects, 2, 'the knock, and the request')
})
