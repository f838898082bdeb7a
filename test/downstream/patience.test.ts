import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { buildApp } from '../../src/app/app.ts'
import { Listener } from '../../src/app/listener.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { textFrame } from '../../src/wire/frames.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { configFor, logSink, startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const head = (method: string, more = ''): string => `${method} /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${more}\r\n`
const handshake = head('GET', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

/** Writes for as long as the socket takes it. */
function flood (socket: Socket, block: Buffer): void {
  const fill = (): void => { while (socket.writable && socket.write(block)) { /* until it is full */ } }
  socket.on('drain', fill)
  fill()
}

/** Places taken now. */
const taken = async (url: string): Promise<string[]> =>
  [...(await (await request(`${url}/metrics`)).body.text()).matchAll(/^codex_sidecar_(?:lane_in_flight\{route="\/v1",lane="unverified"\}|tunnels_open) (\d+)$/gm)].map(([, n = '']) => n)

t.test('a client that takes nothing gives its place back', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', chunk => {
      const websocket = String(chunk).includes('pgrade: websocket')
      socket.write(websocket ? switching : 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 9000000000\r\n\r\n')
      flood(socket, websocket ? Buffer.from(textFrame('x'.repeat(1020)).toString('latin1').repeat(64), 'latin1') : Buffer.alloc(65_536))
    })
  })
  const { port, url, line } = await startSidecar(t, { upstream: upstream.url, times: { idleDownload: 100 } })
  for (const message of [head('GET'), handshake]) {
    const client = new RawClient(t, port, { keep: false })
    client.socket.pause()
    client.write(message)
  }
  t.match(await line(({ status }) => status === 200), { ending: 'client_gone' })
  t.match(await line(({ status }) => status === 101), { ending: 'client_gone' })
  t.strictSame(await taken(url), ['0', '0'])
})

t.test('a slow client that takes something is waited for', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end(Buffer.alloc(30_000_000)) })
  const { port } = await startSidecar(t, { upstream: upstream.url, times: { idleDownload: 2_000 } })
  const client = new RawClient(t, port, { keep: false })
  let got = 0
  client.socket.on('data', (text: string) => {
    got += text.length
    client.socket.pause()
    setImmediate(() => client.socket.resume())
  })
  client.write(head('GET'))
  await client.until(() => got > 30_000_000)
  t.ok(got > 30_000_000)
})

t.test('a client that is killed within an upload that is held up gives its place back', async t => {
  let deaf: (() => void) | undefined
  const arrived = new Promise<void>(resolve => { deaf = resolve })
  const upstream = await startRawUpstream(t, socket => { socket.pause(); deaf?.() })
  const { port, url, line } = await startSidecar(t, { upstream: upstream.url, times: { idleUpload: 300 } })
  const client = new RawClient(t, port)
  client.write(head('POST', 'Content-Length: 50000000\r\n'))
  client.write(Buffer.alloc(50_000_000))
  await arrived
  client.socket.destroy()
  await line(({ path }) => path === '/v1/files')
  t.equal((await taken(url))[0], '0')
})

t.test('a refused POST whose body trickles ends, one that comes is read out', async t => {
  const { port } = await startSidecar(t, { upstream: 'http://127.0.0.1:1', times: { idleUpload: 1_000 } })
  const post = 'POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n'
  const slow = new RawClient(t, port)
  slow.write(post)
  t.equal((await slow.answer()).status, 401)
  const drip = setInterval(() => { slow.write('x') }, 10)
  await slow.closed()
  clearInterval(drip)
  const steady = new RawClient(t, port)
  steady.write(post)
  t.equal((await steady.answer()).status, 401)
  for (let i = 0; i < 10; i++) {
    steady.write(Buffer.alloc(40_000))
    await new Promise(resolve => setTimeout(resolve, 150)) // longer than the limit in all
  }
  steady.write(post)
  t.equal((await steady.answer()).status, 401, 'its connection stays usable')
})

t.test('WebSockets have their places before anything is sent upstream', async t => {
  const handshakes: (() => void)[] = []
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => { handshakes.push(() => socket.write(switching)) }) })
  const { port, url } = await startSidecar(t, { upstream: upstream.url, limits: { tunnels: 2 }, lanes: { unverified: 3 } })
  const clients = Array.from({ length: 60 }, () => new RawClient(t, port))
  for (const client of clients) client.write(handshake)
  const answers = clients.map(client => client.answer())
  let refused = 0
  for (const answer of answers) void answer.then(({ status }) => { if (status === 503) refused++ })
  while (refused < 58 || handshakes.length < 2) await new Promise(resolve => setImmediate(resolve))
  t.equal(upstream.connections, 2)
  for (const accept of handshakes) accept()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.equal(statuses.filter(status => status === 101).length, 2)
  t.strictSame(await taken(url), ['0', '2'])
})

t.test('a place of a WebSocket is given back where its lane has none, or its handshake fails', async t => {
  const held: Socket[] = []
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', chunk => { if (String(chunk).includes('pgrade: websocket')) socket.write('HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n'); else held.push(socket) })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url, limits: { tunnels: 1 }, lanes: { unverified: 1 }, times: { place: 1 } })
  const ask = async (): Promise<{ status: number, body: string }> => {
    const client = new RawClient(t, port)
    client.write(handshake)
    return await client.answer()
  }
  const holder = new RawClient(t, port)
  holder.write(head('GET'))
  while (held.length === 0) await new Promise(resolve => setImmediate(resolve))
  for (let i = 0; i < 2; i++) t.match(await ask(), { status: 503, body: /lane_full/ })
  held[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  await holder.answer()
  for (let i = 0; i < 2; i++) t.equal((await ask()).status, 426)
})

t.test('one token has not all places of WebSockets', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => { socket.write(switching) }) })
  const { port } = await startSidecar(t, { upstream: upstream.url, limits: { tunnels: 8 } })
  const open = async (token: string): Promise<{ status: number, client: RawClient }> => {
    const client = new RawClient(t, port)
    client.write(handshake.replace('Bearer good', `Bearer ${token}`))
    return { client, status: (await client.answer()).status }
  }
  const leaky: RawClient[] = []
  for (let i = 0; i < 10; i++) {
    const { client, status } = await open('leaky')
    t.equal(status, i < 7 ? 101 : 503)
    if (status === 101) leaky.push(client)
  }
  t.equal((await open('other')).status, 101)
  t.equal((await open('third')).status, 503, 'then all are taken')
  for (const client of leaky) client.socket.destroy()
  while ((await open('third')).status !== 101) await new Promise(resolve => setImmediate(resolve))
})

t.test('their count outlives a reload', async t => {
  const upstream = await startUpstream(t, () => {})
  new WebSocketServer({ server: upstream.server }).on('connection', socket => { socket.send('hi') })
  const config = configFor({ upstream: upstream.url, limits: { tunnels: 1 } })
  const { destination } = logSink()
  const log = createLog({ level: 'info', destination })
  const first = buildApp({ config, log })
  const listener = new Listener(first)
  t.teardown(() => listener.close())
  const { url } = await listener.listen('127.0.0.1', 0)
  const open = (): WebSocket => new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
  const before = open()
  await once(before, 'message')
  await listener.replace(buildApp({ config, log, before: first.generation }))
  const refused = open()
  refused.on('error', () => {})
  const [, response] = await once(refused, 'unexpected-response') as [unknown, { statusCode: number }]
  t.equal(response.statusCode, 503)
  const closed = first.generation.idle()
  before.terminate()
  await closed
  const next = open()
  await once(next, 'message')
  next.terminate()
})

t.test('a handshake that waits behind another request is served over a reload', async t => {
  let answer: (() => void) | undefined
  const upstream = await startRawUpstream(t, socket => {
    socket.on('data', chunk => {
      if (String(chunk).includes('pgrade: websocket')) socket.write(switching)
      else answer = () => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') }
    })
  })
  const config = configFor({ upstream: upstream.url })
  const { destination } = logSink()
  const log = createLog({ level: 'info', destination })
  const first = buildApp({ config, log })
  const listener = new Listener(first)
  t.teardown(() => listener.close())
  const { port } = await listener.listen('127.0.0.1', 0)
  const client = new RawClient(t, port)
  client.write(head('GET') + handshake)
  while (answer === undefined) await new Promise(resolve => setImmediate(resolve))
  await listener.replace(buildApp({ config, log, before: first.generation }))
  answer()
  t.equal((await client.answer()).status, 200)
  t.equal((await client.answer()).status, 101)
  client.socket.destroy()
  await first.generation.idle()
})

t.test('early hints that Node does not take are left out', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; title="hello world"\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-None: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(head('GET'))
  t.match(await client.answer(), { status: 103, headers: { link: '</b.css>; rel=preload' } })
  t.match(await client.answer(), { status: 200, body: 'ok' })
})

t.test('an HTTP/1.0 client gets no interim answer, and a reset where its answer breaks off', async t => {
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => {
    upstreamSocket = socket
    socket.once('data', chunk => {
      if (String(chunk).includes('whole')) socket.write('HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')
      else socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const old = (path: string): string => `POST /v1/${path} HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer good\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi`
  const whole = new RawClient(t, port)
  whole.write(old('whole'))
  await whole.closed()
  t.match(whole.received, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nok$/s)
  t.notMatch(whole.received, '100 Continue')
  const half = new RawClient(t, port)
  let failure: NodeJS.ErrnoException | undefined
  half.socket.on('error', error => { failure = error })
  half.write(old('half'))
  await half.until(() => half.received.endsWith('half'))
  upstreamSocket?.resetAndDestroy()
  await half.closed()
  t.equal(failure?.code, 'ECONNRESET')
})
