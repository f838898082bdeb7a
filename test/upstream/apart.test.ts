import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { Drain } from '../../src/downstream/drain.ts'
import { createLoop } from '../../src/downstream/loop.ts'
import { Circuit } from '../../src/upstream/circuit.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const good = bearer('good')

t.test('an upstream that can not be connected to fails fast after five tries, one request at a time tries, and the first success closes it', async t => {
  const time = { now: 1 }
  const circuit = new Circuit({ monotonic: () => time.now, wall: () => 0 }, 10_000)
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const enter = (): string => {
    try { circuit.enter(); return 'passes' } catch (error) { const { code, retryAfter } = error as { code: string, retryAfter: number }; return `${code} ${retryAfter}` }
  }
  for (let i = 0; i < 4; i++) circuit.failed(refused, circuit.begin())
  t.equal(enter(), 'passes')
  circuit.succeeded()
  for (let i = 0; i < 5; i++) circuit.failed(refused, circuit.begin())
  t.equal(enter(), 'upstream_unreachable 1')
  for (const seconds of [2, 4, 8, 16, 30, 30]) {
    time.now += 30_000
    t.strictSame([enter(), enter()], ['passes', 'upstream_unreachable 10'], 'one tries')
    circuit.failed(refused, circuit.begin())
    t.equal(enter(), `upstream_unreachable ${seconds}`)
  }
  time.now += 30_000
  enter()
  time.now += 10_000
  t.equal(enter(), 'passes', 'whoever tried does not come back: the next one tries')
  circuit.succeeded()
  t.strictSame([enter(), enter()], ['passes', 'passes'])
})

t.test('a circuit that is open refuses no token, and closes by itself once the upstream is back', async t => {
  const time = { now: 1 }
  const upstream = await startUpstream(t, (_request, response) => { response.end('back') })
  const { port } = new URL(upstream.url)
  upstream.server.close()
  await once(upstream.server, 'close')
  const { url } = await startSidecar(t, { upstream: upstream.url, clock: { monotonic: () => time.now, wall: () => Date.now() } })
  const ask = async () => {
    const { statusCode, headers, body } = await request(`${url}/v1/models`, { headers: good })
    return { statusCode, retryAfter: headers['retry-after'], text: await body.text() }
  }
  for (let i = 0; i < 5; i++) t.match(await ask(), { statusCode: 502, retryAfter: undefined, text: /upstream_unreachable/ })
  t.match(await ask(), { statusCode: 502, retryAfter: '1', text: /upstream_unreachable.*Your credential was not judged/ })
  upstream.server.listen(Number(port), '127.0.0.1')
  await once(upstream.server, 'listening')
  t.match(await ask(), { statusCode: 502, retryAfter: '1' })
  time.now += 1_000
  t.match(await ask(), { statusCode: 200, text: 'back' })
  t.match(await ask(), { statusCode: 200 })
})

t.test('a request that comes back to us gets 508 instead of going round', async t => {
  let back = ''
  const wire = await startRawUpstream(t, socket => {
    const { hostname, port } = new URL(back)
    const other = connect(Number(port), hostname)
    other.on('error', () => {})
    socket.on('close', () => other.destroy())
    socket.pipe(other).pipe(socket)
  })
  const inner = await startSidecar(t, { upstream: wire.url })
  const outer = await startSidecar(t, { upstream: inner.url })
  back = outer.url
  const { statusCode, body } = await request(`${outer.url}/v1/models`, { headers: good })
  t.equal(statusCode, 508)
  t.match(await body.text(), '"code":"loop_detected"')
  t.equal(createLoop().via('https://api.openai.com'), undefined, 'an upstream on TLS sees nothing of us')
})

t.test('a client that falls silent within its upload is told, and gives its place back', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.resume() })
  const { port, url } = await startSidecar(t, { upstream: upstream.url, times: { idleUpload: 80 } })
  const client = new RawClient(t, port)
  client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 100\r\n\r\nabc')
  t.match(await client.answer(), { status: 408, headers: { connection: 'close' }, body: /its body fell silent/ })
  await client.closed()
  t.match(await (await request(`${url}/metrics`)).body.text(), 'codex_sidecar_lane_in_flight{route="/v1",lane="unverified"} 0')
})

t.test('the wait for an answer is no silence of the client', async t => {
  // Ten times the limit: the one thing here that only time can show.
  const upstream = await startUpstream(t, (_request, response) => { setTimeout(() => response.end('late'), 200) })
  const { port } = await startSidecar(t, { upstream: upstream.url, times: { idleUpload: 20 } })
  const client = new RawClient(t, port)
  client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 3\r\n\r\nabc')
  t.match(await client.answer(), { status: 200, body: 'late' })
})

t.test('an upstream that does not read is no silence of the client', async t => {
  let deaf: Socket | undefined
  const upstream = await startRawUpstream(t, socket => { deaf = socket.pause() })
  const { port } = await startSidecar(t, { upstream: upstream.url, times: { idleUpload: 2_000 } })
  const client = new RawClient(t, port)
  client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 50000000\r\n\r\n')
  client.write(Buffer.alloc(50_000_000))
  t.match(await client.answer(), { status: 504 }, 'it is the upstream that is late')
  t.ok(deaf)
})

t.test('2,000 idle connections do not hinder the next one', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { url, port, app } = await startSidecar(t, { upstream: upstream.url })
  const sockets = Array.from({ length: 2_000 }, () => connect(port, '127.0.0.1'))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  t.equal((await request(`${url}/v1/models`, { headers: good })).statusCode, 200)
  app.server.maxConnections = 1
  const { socket } = new RawClient(t, port)
  await once(socket, 'close')
  t.pass('beyond the limit they are closed')
})

t.test('shutdown beside 200 event streams, 200 WebSockets and 20 uploads: everyone is told', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n') })
  const sockets = new WebSocketServer({ server: upstream.server })
  sockets.on('connection', socket => { socket.send('hi') })
  const { url, port, app } = await startSidecar(t, { upstream: upstream.url, times: { drain: 500 }, lanes: { unverified: 500 } })
  const streams = Array.from({ length: 200 }, () => new RawClient(t, port))
  for (const stream of streams) stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
  const uploads = Array.from({ length: 20 }, () => new RawClient(t, port))
  for (const upload of uploads) upload.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 100\r\n\r\nabc')
  const clients = Array.from({ length: 200 }, () => new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: good }))
  const closes = clients.map(async client => (await once(client, 'close') as [number])[0])
  await Promise.all([...clients.map(client => once(client, 'message')), ...streams.map(stream => stream.until(() => stream.received.includes('data: 1\n\n')))])
  await app.close()
  t.strictSame(new Set(await Promise.all(closes)), new Set([1012]))
  const ends = await Promise.all(streams.map(async stream => (await stream.answer()).body))
  t.ok(ends.every(body => body.startsWith('data: 1\n\n') && body.includes('"code":"draining"')))
  const answers = await Promise.all(uploads.map(async upload => await upload.answer()))
  t.ok(answers.every(({ status, body }) => status === 503 && body.includes('"code":"draining"')))
})

t.test('what is said to be over twice does not end another’s wait', async t => {
  const drain = new Drain()
  const first = drain.track({})
  first()
  const second = drain.track({}) // it has the place of the first
  first()
  let idle = false
  const settled = drain.idle().then(() => { idle = true })
  await Promise.resolve()
  t.notOk(idle)
  second()
  await settled
  t.ok(idle)
})
