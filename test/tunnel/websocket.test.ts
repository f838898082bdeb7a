import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer, type ClientOptions, type RawData } from 'ws'
import { closeFrame, FrameTracker, textFrame } from '../../src/wire/frames.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { deadKey, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const handshake = (path = '/v1/responses', more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n`
const accept = (key: string): string => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
const switching = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(KEY)}\r\n\r\n`

/** A WebSocket upstream of the `ws` package. */
async function startSocketUpstream (t: Test, serve: (socket: WebSocket, request: IncomingMessage) => void, options: object = {}) {
  const upstream = await startUpstream(t, (_request, response) => { response.writeHead(426).end() })
  const server = new WebSocketServer({ server: upstream.server, maxPayload: 100 << 20, ...options })
  server.on('connection', (socket, request) => {
    socket.on('error', () => {})
    serve(socket, request)
  })
  return upstream
}

interface Transcript { messages: string[], code: number, reason: string, protocol: string, extensions: string, pongs: number }

const digest = (data: Buffer): string => data.length < 1000 ? data.toString() : `${data.length} ${createHash('sha256').update(data).digest('hex')}`

/** All that a client sees of a session. */
async function session (url: string, { protocols = [], options = {}, talk }: { protocols?: string[], options?: ClientOptions, talk?: (socket: WebSocket) => void }): Promise<Transcript> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, protocols, { headers: bearer('good'), ...options })
  const messages: string[] = []
  let pongs = 0
  socket.on('message', (data: RawData, binary) => messages.push(`${binary ? 'binary' : 'text'} ${digest(data as Buffer)}`))
  socket.on('pong', () => pongs++)
  socket.on('open', () => talk?.(socket))
  socket.on('error', () => {})
  const [code, reason] = await once(socket, 'close') as [number, Buffer]
  return { messages, code, reason: reason.toString(), protocol: socket.protocol, extensions: socket.extensions, pongs }
}

t.test('a session through us is the same as one without us', async t => {
  const big = randomBytes(64 << 20)
  const cases: [name: string, serve: (socket: WebSocket) => void, client: Parameters<typeof session>[1], server?: object][] = [
    ['subprotocols', socket => { socket.close(1000, socket.protocol) }, { protocols: ['first', 'second'] }],
    ['permessage-deflate', socket => { socket.on('message', data => { socket.send(data, { compress: true }, () => { socket.close(1000) }) }) }, { talk: socket => { socket.send('x'.repeat(50_000)) } }, { perMessageDeflate: { threshold: 0 } }],
    ['fragmented messages', socket => { socket.send('a', { fin: false }); socket.ping(); socket.send('b', { fin: false }); socket.send('c', { fin: true }); socket.on('message', data => { socket.close(1000, (data as Buffer).toString()) }) }, { talk: socket => { socket.send('d', { fin: false }); socket.send('e') } }],
    ['ping and pong', socket => { socket.on('ping', () => { socket.close(1000) }) }, { talk: socket => { socket.ping('x') } }],
    ...[1000, 1001, 1008, 1011, 4000].map(code => [`close ${code} by the upstream`, (socket: WebSocket) => { socket.close(code, 'bye') }, {}] as (typeof cases)[number]),
    ...[1000, 4000].map(code => [`close ${code} by the client`, () => {}, { talk: (socket: WebSocket) => { socket.close(code, 'bye') } }] as (typeof cases)[number]),
    ['close without a code', socket => { socket.close() }, {}],
    ['a message right behind the 101', socket => { socket.send('at once'); socket.close(1000) }, {}],
    ['a message of 64 MB each way', socket => { socket.on('message', data => { socket.send(data); socket.close(1000) }) }, { talk: socket => { socket.send(big) } }],
    ['10,000 small messages', socket => { let n = 0; socket.on('message', data => { socket.send(data); if (++n === 10_000) socket.close(1000) }) }, { talk: socket => { for (let i = 0; i < 10_000; i++) socket.send(String(i)) } }]
  ]
  for (const [name, serve, client, server] of cases) {
    await t.test(name, async t => {
      const upstream = await startSocketUpstream(t, serve, server)
      const { url, line } = await startSidecar(t, { upstream: upstream.url })
      const [straight, through] = [await session(upstream.url, client), await session(url, client)]
      t.strictSame(through, straight)
      t.match(await line(({ path }) => path === '/v1/responses'), { status: 101, lane: 'unverified', ending: /^(?:whole|client_gone)$/ })
    })
  }
})

t.test('the upstream gets the client’s own handshake, and its headers come back', async t => {
  let request: IncomingMessage | undefined
  const upstream = await startSocketUpstream(t, (socket, r) => { request = r; socket.close() })
  upstream.server.on('upgrade', () => {})
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/backend-api/codex/responses?a=b`, {
    headers: { ...bearer('good'), 'OpenAI-Beta': 'responses_websockets=2026-02-06', 'chatgpt-account-id': 'a', Cookie: 'c=d', 'X-Codex-Turn': '1' }
  })
  await once(socket, 'close')
  t.equal(request?.url, '/backend-api/codex/responses?a=b')
  t.match(request?.headers, { authorization: 'Bearer good', 'openai-beta': 'responses_websockets=2026-02-06', 'chatgpt-account-id': 'a', cookie: 'c=d', host: new URL(upstream.url).host, upgrade: 'websocket', 'sec-websocket-version': '13' })
  t.ok(request?.rawHeaders.includes('OpenAI-Beta') && request.rawHeaders.includes('X-Codex-Turn'), 'in their own case')
})

t.test('bytes before and right behind the 101 are passed on in order', async t => {
  let dialled: ((switchOver: () => void) => void) | undefined
  const dialling = new Promise<() => void>(resolve => { dialled = resolve })
  const upstream = await startRawUpstream(t, socket => {
    let got = ''
    socket.once('data', () => {
      socket.on('data', (chunk: Buffer) => {
        got += chunk.toString('latin1')
        if (got.length === 12) socket.write(textFrame(got))
      })
      dialled?.(() => socket.write(Buffer.concat([Buffer.from(switching), textFrame('at once')])))
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(`${handshake()}early `)
  const switchOver = await dialling
  client.write('frames')
  switchOver()
  await client.until(() => client.received.endsWith('early frames'))
  t.equal(client.received.slice(client.received.indexOf('\r\n\r\n') + 4), '\x81\x07at once\x81\x0cearly frames')
})

/** A handshake through us to an upstream that does as told with it. */
async function refused (t: Test, behave: (socket: Socket) => void, options: Partial<SidecarOptions> = {}) {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => { behave(socket) }) })
  const sidecar = await startSidecar(t, { upstream: upstream.url, ...options })
  const client = new RawClient(t, sidecar.port)
  client.write(handshake())
  return { client, upstream, ...sidecar }
}

t.test('a refusal of the upstream is relayed as the HTTP answer it was', async t => {
  const times = { handshake: 100, errorBody: 100 }
  const flood = (socket: Socket): void => {
    const fill = (): void => { while (socket.write(`400\r\n${'x'.repeat(1024)}\r\n`)) { /* until it is full */ } }
    socket.on('drain', fill)
    fill()
  }
  const cases: [name: string, behave: (socket: Socket) => void, status: number, body: RegExp][] = [
    ['401 JSON', socket => { socket.end(`HTTP/1.1 401 No\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(deadKey)}`) }, 401, /invalid_api_key/],
    ['403 HTML', socket => { socket.write('HTTP/1.1 403 No\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>') }, 403, /<html>/],
    ['426 chunked', socket => { socket.write('HTTP/1.1 426 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n') }, 426, /abc/],
    ['429 without a body', socket => { socket.write('HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n') }, 429, /^$/],
    ['503 with an endless body', socket => { socket.write('HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n'); flood(socket) }, 503, /upstream_incomplete/],
    ['401 with a body that hangs', socket => { socket.write('HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\n{') }, 401, /upstream_incomplete/],
    ['200', socket => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') }, 200, /^ok$/],
    ['200 with a body larger than a socket’s buffer', socket => { socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n${'y'.repeat(3_000_000)}`) }, 200, /^y{3000000}$/],
    ['garbage', socket => { socket.write('garbage\r\n\r\n') }, 502, /upstream_protocol/],
    ['a 101 to another protocol', socket => { socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n') }, 502, /"code":"upstream_protocol"/],
    ['a 101 to no protocol', socket => { socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n') }, 502, /"code":"upstream_/],
    ['a reset', socket => { socket.resetAndDestroy() }, 502, /upstream_reset/],
    ['a hang', () => {}, 504, /upstream_timeout/]
  ]
  for (const [name, behave, status, body] of cases) {
    await t.test(name, async t => {
      const { client, line } = await refused(t, behave, { times })
      const answer = await client.answer()
      t.equal(answer.status, status)
      t.match(answer.body, body)
      t.equal(answer.headers['connection'], 'close')
      if (status === 429) t.equal(answer.headers['retry-after'], '7')
      await client.closed()
      t.match(await line(({ path }) => path === '/v1/responses'), { status })
    })
  }
})

t.test('a bad token gets its 401 at once, on HTTP, and nothing goes upstream', async t => {
  const upstream = await startSocketUpstream(t, () => {})
  let upgrades = 0
  upstream.server.on('upgrade', () => upgrades++)
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/backend-api/codex/responses`, { headers: bearer(expiredJwt()) })
  const [, response] = await once(socket, 'unexpected-response') as [unknown, IncomingMessage]
  t.equal(response.statusCode, 401)
  t.match(response.headers, { 'retry-after': '0', 'x-should-retry': 'false', 'content-type': 'application/json' })
  t.match(Buffer.concat(await response.toArray()).toString(), /"code":"token_expired"/)
  t.equal(upgrades, 0)
})

t.test('a dead token: 20 upgrades, of which the upstream sees one; a handshake’s 401 that does not say why (openai/codex#39578) is asked each time', async t => {
  for (const [body, expected] of [[JSON.stringify(deadKey), 1], ['{"detail":"Unauthorized"}', 20]] as const) {
    const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.end(`HTTP/1.1 401 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`)) })
    const { port } = await startSidecar(t, { upstream: upstream.url })
    for (let i = 0; i < 20; i++) {
      const client = new RawClient(t, port)
      client.write(handshake())
      t.equal((await client.answer()).status, 401)
    }
    t.equal(upstream.connections, expected)
  }
})

t.test('a handshake right behind a request waits for its answer', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.on('data', chunk => socket.write(/upgrade/i.test(String(chunk)) ? Buffer.concat([Buffer.from(switching), textFrame('hi')]) : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  const { port, line } = await startSidecar(t, { upstream: upstream.url })
  const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n'
  const client = new RawClient(t, port)
  client.write(get + get + handshake())
  for (let i = 0; i < 2; i++) t.match(await client.answer(), { status: 200, body: 'ok' })
  t.equal((await client.answer()).status, 101)
  await client.until(() => client.received.includes('hi'))
  client.socket.destroy()
  t.match(await line(({ status }) => status === 101), { ending: 'client_gone' })
})

t.test('only a WebSocket handshake is upgraded', async t => {
  const upstream = await startRawUpstream(t, () => {})
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const cases: [name: string, head: string, status: number][] = [
    ['another version', handshake().replace('Version: 13', 'Version: 8'), 400],
    ['a bad key', handshake().replace(KEY, 'abc'), 400],
    ['two keys', handshake('/v1/responses', `Sec-WebSocket-Key: ${KEY}\r\n`), 400],
    ['a body', handshake('/v1/responses', 'Content-Length: 3\r\n'), 400],
    ['an unknown path', handshake('/nowhere'), 404],
    ['two tokens', handshake('/v1/responses', 'Authorization: Bearer b\r\n'), 400],
    ['our own path', handshake('/livez'), 200]
  ]
  for (const [name, head, status] of cases) {
    const client = new RawClient(t, port)
    client.write(head)
    t.equal((await client.answer()).status, status, name)
    await client.closed()
  }
  t.equal(upstream.connections, 0)
})

t.test('a lost upstream is explained between frames, and cut within one', async t => {
  const cases: [name: string, path: string, frames: Buffer, lose: (socket: Socket) => void, expected: RegExp | undefined][] = [
    ['FIN between frames', '/v1/responses', textFrame('hi'), socket => { socket.end() }, /^\x81\x02hi\x81~..\{"type":"error","status":502,"error":\{"type":"api_error","code":"upstream_reset".*\}\x88..\xf3upstream_reset: Upstream connection error/s],
    ['reset between frames', '/backend-api/codex/responses', textFrame('hi'), socket => { socket.resetAndDestroy() }, /upstream_reset/],
    ['FIN within a fragmented message', '/v1/responses', Buffer.from('\x01\x02hi', 'latin1'), socket => { socket.end() }, /^\x01\x02hi\x88..\xf3/s],
    ['on a route of another dialect', '/v1/messages', textFrame('hi'), socket => { socket.end() }, /^\x81\x02hi\x88..\xf3/s],
    ['FIN within a frame', '/v1/responses', Buffer.from('\x81\x05hi', 'latin1'), socket => { socket.end() }, undefined],
    ['FIN within a long head', '/v1/responses', Buffer.from('\x81\x7f\0\0', 'latin1'), socket => { socket.end() }, undefined],
    ['FIN behind its Close', '/v1/responses', closeFrame(1000, 'bye'), socket => { socket.end() }, /^\x88\x05\x03\xe8bye$/]
  ]
  for (const [name, path, frames, lose, expected] of cases) {
    await t.test(name, async t => {
      let socket: Socket | undefined
      const upstream = await startRawUpstream(t, s => { socket = s; s.once('data', () => s.write(Buffer.concat([Buffer.from(switching), frames]))) })
      const { port, line } = await startSidecar(t, { upstream: upstream.url })
      const client = new RawClient(t, port)
      client.write(handshake(path))
      await client.answer()
      await client.until(() => client.received.length >= frames.length)
      lose(socket as Socket)
      await client.until(() => false)
      if (expected === undefined) t.equal(client.received, frames.toString('latin1'), 'nothing is put into a frame')
      else {
        t.match(client.received, expected)
        client.write('\x88\x80\0\0\0\0') // its Close, which nobody takes any more
      }
      client.socket.end()
      t.match(await line(l => l['path'] === path), { ending: expected === undefined ? 'cut' : name.includes('Close') ? 'whole' : 'explained' })
    })
  }
  await t.test('silence beyond the limit', async t => {
    const upstream = await startSocketUpstream(t, () => {})
    const { url } = await startSidecar(t, { upstream: upstream.url, times: { idleStream: 60 } })
    const { messages, code, reason } = await session(url, {})
    t.strictSame(messages, [])
    t.match({ code, reason }, { code: 1011, reason: /fell silent/ })
  })
})

t.test('a WebSocket that the upstream resets is not felt by the answer that its upstream connection carries next', async t => {
  const sockets: Socket[] = []
  const upstream = await startRawUpstream(t, (socket, connection) => {
    sockets.push(socket)
    socket.once('data', () => socket.write(connection === 1 ? switching : 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n'))
  })
  const { port } = await startSidecar(t, { upstream: upstream.url, lanes: { unverified: 2 } })
  const ask = async (): Promise<RawClient> => {
    const client = new RawClient(t, port)
    client.write('GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Basic abc\r\n\r\n') // never judged, so always in one lane
    await client.until(() => client.received.endsWith('one\r\n'))
    return client
  }
  await ask() // takes the one connection, the WebSocket the other, which the next request has to share
  const session = new RawClient(t, port)
  session.write(handshake())
  await session.answer()
  const client = await ask()
  sockets[1]?.resetAndDestroy()
  await session.closed()
  sockets[2]?.write('3\r\ntwo\r\n0\r\n\r\n')
  t.match(await client.answer(), { status: 200, body: 'onetwo' })
})

t.test('a client that leaves at any stage takes the upstream’s socket with it', async t => {
  for (const leave of ['reset', 'FIN'] as const) {
    const go = ({ socket }: RawClient): void => { if (leave === 'reset') socket.resetAndDestroy(); else socket.end() }
    await t.test(`${leave} during the handshake`, async t => {
      let gone: Promise<unknown> | undefined
      let arrived: (() => void) | undefined
      const arrival = new Promise<void>(resolve => { arrived = resolve })
      const upstream = await startRawUpstream(t, socket => { gone ??= once(socket, 'close'); socket.once('data', () => arrived?.()) })
      const { port, line } = await startSidecar(t, { upstream: upstream.url })
      const client = new RawClient(t, port)
      client.write(handshake())
      await arrival
      go(client)
      await gone
      await line(({ path }) => path === '/v1/responses')
    })
    await t.test(`${leave} after the 101, within a frame`, async t => {
      let gone: Promise<unknown> | undefined
      const upstream = await startRawUpstream(t, socket => { gone = once(socket, 'close'); socket.once('data', () => { socket.write(switching); socket.resume() }) })
      const { port, line } = await startSidecar(t, { upstream: upstream.url })
      const client = new RawClient(t, port)
      client.write(handshake())
      await client.answer()
      client.write('\x81\xfe')
      go(client)
      await gone
      t.match(await line(({ path }) => path === '/v1/responses'), { ending: 'client_gone', status: 101 })
    })
  }
  await t.test('while an asynchronous check runs', async t => {
    let checking: (() => void) | undefined
    let go: (() => void) | undefined
    const checked = new Promise<void>(resolve => { checking = resolve })
    const gate = new Promise<undefined>(resolve => { go = () => { resolve(undefined) } })
    const upstream = await startRawUpstream(t, () => {})
    const { port, line } = await startSidecar(t, { upstream: upstream.url, remote: [{ validate: () => { checking?.(); return gate } }] })
    const client = new RawClient(t, port)
    client.write(handshake())
    await checked
    client.socket.resetAndDestroy()
    await line(({ path }) => path === '/v1/responses')
    go?.()
    await new Promise(resolve => setImmediate(resolve))
    t.pass('no uncaught error')
  })
  await t.test('and an upstream that keeps its side open is closed', async t => {
    const upstream = await startRawUpstream(t, socket => {
      socket.allowHalfOpen = true
      socket.once('data', () => { socket.write(switching); socket.resume() })
    })
    const { port, line } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write(handshake())
    await client.answer()
    client.socket.end()
    t.match(await line(({ path }) => path === '/v1/responses'), { ending: 'client_gone' })
  })
})

t.test('WebSockets have their own limit', async t => {
  const upstream = await startSocketUpstream(t, socket => { socket.send('hi') })
  const { port, url } = await startSidecar(t, { upstream: upstream.url, limits: { tunnels: 1 } })
  const first = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
  await once(first, 'message')
  const client = new RawClient(t, port)
  client.write(handshake())
  t.match(await client.answer(), { status: 503, headers: { 'retry-after': '1' }, body: /lane_full/ })
  t.match(await (await request(`${url}/metrics`)).body.text(), 'codex_sidecar_tunnels_open 1\n')
  first.terminate()
})

t.test('our shutdown closes WebSockets with 1012: idle ones at once, busy ones when they fall silent, all within the grace', async t => {
  await t.test('idle', async t => {
    const upstream = await startSocketUpstream(t, socket => { socket.send('hi') })
    const { url, app } = await startSidecar(t, { upstream: upstream.url })
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
    await once(socket, 'message')
    const closed = once(socket, 'close') as Promise<[number, Buffer]>
    await app.close()
    const [code, reason] = await closed
    t.match({ code, reason: reason.toString() }, { code: 1012, reason: /restarting/ })
  })
  await t.test('busy to the end of the grace', async t => {
    const upstream = await startSocketUpstream(t, socket => {
      const timer = setInterval(() => { socket.send('tick') }, 10)
      socket.on('close', () => { clearInterval(timer) })
    })
    const { url, app } = await startSidecar(t, { upstream: upstream.url, times: { drain: 200 } })
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
    await once(socket, 'message')
    const closed = once(socket, 'close') as Promise<[number]>
    await app.close()
    t.equal((await closed)[0], 1012)
  })
  await t.test('thinking about a message, which is more than a moment of silence', async t => {
    const upstream = await startSocketUpstream(t, socket => {
      socket.on('message', () => { setTimeout(() => { socket.send('thought') }, 500) })
    })
    const { url, app } = await startSidecar(t, { upstream: upstream.url, times: { drain: 3_000 } })
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer('good') })
    await once(socket, 'open')
    const [answered, closed] = [once(socket, 'message'), once(socket, 'close')]
    socket.send('think')
    const ended = app.close()
    t.equal(String((await answered)[0]), 'thought')
    t.equal((await closed)[0], 1012)
    await ended
  })
  await t.test('within a frame', async t => {
    const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write(`${switching}\x81\x05hi`, 'latin1')) })
    const { port, app } = await startSidecar(t, { upstream: upstream.url, times: { drain: 50 } })
    const client = new RawClient(t, port)
    client.write(handshake())
    await client.answer()
    await client.until(() => client.received.length === 4)
    await app.close()
    await client.closed()
    t.equal(client.received, '\x81\x05hi')
  })
})

t.test('a paused client stops the upstream', async t => {
  let sent = 0
  const block = Buffer.alloc(1 << 20)
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', () => {
      socket.write(switching)
      const fill = (): void => { while (sent++ < 300 && socket.write(block)) { /* until it is full */ } }
      socket.on('drain', fill)
      fill()
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const before = process.memoryUsage().rss
  const client = new RawClient(t, port)
  client.write(handshake())
  await client.until(() => client.received.includes('\r\n\r\n'))
  client.socket.pause()
  let last = -1
  while (last !== sent) { last = sent; await new Promise(resolve => setTimeout(resolve, 100)) }
  const grown = (process.memoryUsage().rss - before) / (1 << 20)
  t.ok(sent < 60, `the upstream was stopped after ${sent} MB`)
  t.ok(grown < 30, `all in this process grew by ${grown.toFixed(0)} MB`)
})

t.test('a paused upstream stops the client, and then gets all of it', async t => {
  const block = Buffer.alloc(1 << 20)
  let received = 0
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => {
    upstreamSocket = socket
    socket.once('data', () => {
      socket.pause().write(switching)
      socket.on('data', (chunk: Buffer) => { received += chunk.length }).pause()
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url, times: { ping: 600_000 } })
  const client = new RawClient(t, port)
  client.write(handshake())
  await client.until(() => client.received.includes('\r\n\r\n'))
  let sent = 0
  const fill = (): void => { while (sent < 100 && client.socket.write(block)) sent++ }
  client.socket.on('drain', () => { sent++; fill() })
  fill()
  let last = -1
  while (last !== sent) { last = sent; await new Promise(resolve => setTimeout(resolve, 100)) }
  t.ok(sent < 60, `the client was stopped after ${sent} MB`)
  upstreamSocket?.resume()
  while (received < 100 << 20) await new Promise(resolve => setImmediate(resolve))
  t.equal(received, 100 << 20)
})

t.test('frames: boundaries in every split, all lengths, masked or not', async t => {
  const frames = [textFrame(''), textFrame('x'.repeat(125)), textFrame('x'.repeat(126)), textFrame('x'.repeat(65_535)), closeFrame(1000, ''),
    Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Buffer.alloc(65_536)]), Buffer.from([0x81, 0x82, 1, 2, 3, 4, 5, 6])]
  for (const frame of frames) {
    for (const cut of [1, 2, 3, 5, 9, 11, frame.length - 1].filter(n => n > 0 && n < frame.length)) {
      const tracker = new FrameTracker()
      tracker.push(frame.subarray(0, cut))
      t.equal(tracker.onBoundary, false)
      tracker.push(frame.subarray(cut))
      t.equal(tracker.onBoundary, true)
      t.equal(tracker.closed, frame === frames[4])
    }
  }
  t.equal(closeFrame(1011, 'é'.repeat(100)).length, 2 + 2 + 122, 'a reason is cut between characters')
})
