import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import { Agent, request } from 'undici'
import { decodeRaw } from '../../src/wire/headers.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { routeTo } from '../fixtures/route.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { deadKey, json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const good = bearer('good')
const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n${more}\r\n`

t.test('a request arrives as it was sent, but for what belongs to one connection', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write('POST /backend-api/codex/responses?client_version=1&a=%20b&a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n' +
    'X-Codex-Turn: 1\r\nx-codex-turn: 2\r\nContent-Type: Application/JSON;x\r\nContent-Encoding: zstd\r\nConnection: keep-alive, X-Private, authorization\r\nX-Private: 1\r\n' +
    'Keep-Alive: 1\r\nTE: trailers\r\nTrailer: a\r\nProxy-Authorization: b\r\nProxy-Connection: c\r\nX-Latin: \xe9\r\nContent-Length: 4\r\n\r\n\x28\xb5\x2f\xfd')
  t.equal((await client.answer()).status, 200)
  const [seen] = upstream.seen
  t.equal(seen?.url, '/backend-api/codex/responses?client_version=1&a=%20b&a', 'the query is not parsed and put together again')
  t.strictSame(seen?.body, Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))
  const pairs = seen?.rawHeaders.flatMap((name, i, all) => i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : []) ?? []
  t.match(pairs.find(pair => pair.startsWith('Via')), /^Via: 1\.1 codex-sidecar-[0-9a-f]{8}$/, 'a plain HTTP upstream could lead back here')
  t.strictSame(pairs.filter(p => !/^(?:host|connection|content-length|via):/i.test(p)), [
    'Authorization: Bearer good', 'X-Codex-Turn: 1', 'x-codex-turn: 2', 'Content-Type: Application/JSON;x', 'Content-Encoding: zstd', 'X-Latin: \xe9'
  ], 'case, order and duplicates are kept')
  t.equal(seen?.headers.host, new URL(upstream.url).host)
})

t.test('routes: where each path goes', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const { url: custom } = await startSidecar(t, {
    upstream: upstream.url,
    config: { routes: [routeTo({ prefix: '/codex', upstream: upstream.url })] }
  })
  const paths = [
    [url, '/backend-api/codex/responses', '/backend-api/codex/responses'],
    [url, '/v1/messages', '/v1/messages'],
    [url, '/v1/messages/count_tokens?beta=true', '/v1/messages/count_tokens?beta=true'],
    [url, '/v1/messagesx', '/v1/messagesx'],
    [url, '/v1', '/v1'],
    [url, '/v1//double', '/v1//double'],
    [url, `/v1/${'long/'.repeat(500)}`, `/v1/${'long/'.repeat(500)}`],
    [custom, '/codex/responses', '/responses'],
    [custom, '/codex', '/'],
    [custom, '/codex?a', '/?a']
  ] as const
  for (const [base, path] of paths) await (await request(base + path, { headers: good })).body.dump()
  t.strictSame(upstream.seen.map(({ url }) => url), paths.map(([, , there]) => there))
})

t.test('the absolute form of a target is taken', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('http://localhost/v1/models?a'))
  t.equal((await client.answer()).status, 200)
  client.write(get('http://localhost'))
  t.equal((await client.answer()).status, 404)
  client.write('OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.equal((await client.answer()).status, 404)
  t.strictSame(upstream.seen.map(({ url }) => url), ['/v1/models?a'])
})

t.test('an answer arrives as it was sent: status, reason, case, duplicates, latin1, trailers', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', () => socket.write('HTTP/1.1 299 Quite Fine\r\nX-Request-Id: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\nX-Latin: \xe9\r\nTrailer: X-Sum\r\nKeep-Alive: timeout=9\r\n' +
      'Proxy-Authenticate: x\r\nConnection: X-Private\r\nX-Private: 1\r\nDate: today\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n', 'latin1'))
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  await client.until(() => client.received.includes('X-Sum: 6\r\n\r\n'))
  t.match(client.received, 'X-Sum: 6\r\n\r\n', 'trailers')
  const { rawHead, body } = await client.answer()
  t.equal(body, 'abc')
  t.strictSame(rawHead.split('\r\n').filter(line => !/^(?:connection|keep-alive|transfer-encoding):/i.test(line)),
    ['HTTP/1.1 299 Quite Fine', 'X-Request-Id: 1', 'set-cookie: a', 'Set-Cookie: b', 'X-Latin: \xe9', 'Date: today'])
})

t.test('a reason phrase that can not be sent on is left out', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write('HTTP/1.1 200 \xc4\x8e\r\nContent-Length: 0\r\n\r\n', 'latin1')) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  t.match(await client.answer(), { status: 200, reason: '' })
})

t.test('interim answers are passed on', async t => {
  const upstream = await startUpstream(t, (_request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.end('done')
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  t.equal((await client.answer()).status, 102)
  t.match(await client.answer(), { status: 103, headers: { link: '</a>; rel=preload' } })
  t.match(await client.answer(), { status: 200, body: 'done' })
})

t.test('interim answers that Node can not send are left out', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write('HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\nHTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  t.equal((await client.answer()).status, 200)
})

t.test('HEAD, 204 and 304 have no body, whatever their length says', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.on('data', chunk => {
      const head = chunk.toString()
      if (head.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n')
      else if (head.includes('/204')) socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      else if (head.includes('/error')) socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      else socket.write('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1234\r\n\r\n')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models').replace('GET', 'HEAD'))
  t.match(await client.answer(true), { status: 200, headers: { 'content-length': '1234' } })
  client.write(get('/v1/304'))
  t.match(await client.answer(), { status: 304, headers: { etag: '"a"', 'content-length': '1234' } })
  client.write(get('/v1/204'))
  t.match(await client.answer(), { status: 204 })
  client.write(get('/v1/error'))
  t.match(await client.answer(), { status: 404, headers: { 'content-length': '0' } }, 'all on one connection')
})

t.test('100 MB go up and come down untouched and unbuffered', async t => {
  const upstream = await startUpstream(t, (_request, response, body) => {
    response.setHeader('x-sum', createHash('sha256').update(body).digest('hex'))
    response.end(body)
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const block = randomBytes(1 << 20)
  const sum = createHash('sha256')
  const body = Readable.from((function * () { for (let i = 0; i < 100; i++) { sum.update(block); yield block } })())
  const { statusCode, headers, body: back } = await request(`${url}/v1/files`, { method: 'POST', headers: { ...good, 'content-type': 'text/plain' }, body })
  t.equal(statusCode, 200)
  const returned = createHash('sha256')
  for await (const chunk of back) returned.update(chunk as Buffer)
  const expected = sum.digest('hex')
  t.equal(headers['x-sum'], expected, 'up')
  t.equal(returned.digest('hex'), expected, 'and down')
})

t.test('a slow reader stops the upstream, and a slow upstream stops the writer', async t => {
  const block = Buffer.alloc(1 << 20)
  let written = 0
  const upstream = await startUpstream(t, (_request, response) => {
    const fill = (): void => { while (written++ < 300 && response.write(block)) { /* until it is full */ } }
    response.on('drain', fill)
    fill()
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const agent = new Agent()
  t.teardown(() => agent.destroy())
  const { body } = await request(`${url}/v1/files`, { headers: good, dispatcher: agent })
  let last = -1
  while (last !== written) { last = written; await new Promise(resolve => setTimeout(resolve, 100)) }
  t.ok(written > 0 && written < 60, `the upstream was stopped after ${written} MB`)
  body.destroy()
  body.on('error', () => {})

  let deafen: Socket | undefined
  const deaf = await startRawUpstream(t, socket => { deafen = socket.pause() })
  const { port: second } = await startSidecar(t, { upstream: deaf.url })
  const client = new RawClient(t, second)
  client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 300000000\r\n\r\n')
  let sent = 0
  const push = (): void => { while (sent++ < 300 && client.socket.write(block)) { /* until it is full */ } }
  client.socket.on('drain', push)
  push()
  last = -1
  while (last !== sent) { last = sent; await new Promise(resolve => setTimeout(resolve, 100)) }
  t.ok(sent > 0 && sent < 60, `the client was stopped after ${sent} MB`)
  deafen?.destroy()
  t.equal((await client.answer()).status, 502)
})

t.test('Expect: 100-continue is answered by us, once the guard has passed', async t => {
  const upstream = await startUpstream(t, ({ headers }, response, body) => {
    if (headers.authorization === 'Bearer dead') json(response, 401, deadKey)
    else json(response, 200, { bytes: body.length })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const post = (token: string): string => `POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`
  const client = new RawClient(t, port)
  client.write(post('good'))
  t.equal((await client.answer()).status, 100)
  client.write('hello')
  t.match(await client.answer(), { status: 200, body: '{"bytes":5}' })
  t.equal(upstream.seen[0]?.headers.expect, undefined, 'the upstream is not asked')
  const other = new RawClient(t, port)
  other.write(post('undefined'))
  t.equal((await other.answer()).status, 401, 'a bad token uploads nothing')
  const dead = new RawClient(t, port)
  dead.write(get('/v1/models').replace('good', 'dead'))
  t.equal((await dead.answer()).status, 401)
  dead.write(post('dead'))
  t.equal((await dead.answer()).status, 401, 'nor does one that the upstream has rejected')
  t.equal(upstream.seen.length, 2)
})

t.test('a client that leaves while the upstream is still being connected frees its place at once', async t => {
  let gone: Promise<unknown> | undefined
  let arrived: (() => void) | undefined
  const arrival = new Promise<void>(resolve => { arrived = resolve })
  const proxy = await startRawUpstream(t, socket => {
    gone = once(socket, 'close')
    socket.once('data', () => arrived?.())
  })
  const { port, line, url } = await startSidecar(t, { upstream: 'http://upstream.test', lanes: { unverified: 1 }, env: { ALL_PROXY: proxy.url.replace('http:', 'socks5h:') } })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  await arrival
  client.socket.destroy()
  t.match(await line(({ path }) => path === '/v1/models'), { status: 499, ending: 'client_gone' })
  const metrics = await (await request(`${url}/metrics`)).body.text()
  t.match(metrics, 'codex_sidecar_lane_in_flight{route="/v1",lane="unverified"} 0')
  t.ok(await gone, 'and the connection in the making is given up')
})

t.test('a client that leaves takes its upstream request with it', async t => {
  const stages: [name: string, answer: string][] = [
    ['before the headers', ''],
    ['between headers and body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'],
    ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'],
    ['within an event stream', 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n'],
    ['within an error body', 'HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nabc']
  ]
  for (const [name, answer] of stages) {
    await t.test(name, async t => {
      let gone: Promise<unknown> | undefined
      let arrived: (() => void) | undefined
      const arrival = new Promise<void>(resolve => { arrived = resolve })
      const upstream = await startRawUpstream(t, socket => {
        gone ??= once(socket, 'close')
        socket.once('data', () => { socket.write(answer); arrived?.() })
      })
      const { port, line } = await startSidecar(t, { upstream: upstream.url })
      const client = new RawClient(t, port)
      client.write(get('/v1/models'))
      await arrival
      if (answer !== '' && !answer.includes('500')) await client.until(() => client.received.includes('\r\n\r\n'))
      client.socket.destroy()
      await gone
      const logged = await line(({ path }) => path === '/v1/models')
      t.equal(logged['ending'], 'client_gone')
    })
  }
  await t.test('within its upload', async t => {
    let gone: Promise<unknown> | undefined
    let arrived: (() => void) | undefined
    const arrival = new Promise<void>(resolve => { arrived = resolve })
    const upstream = await startRawUpstream(t, socket => { gone ??= once(socket, 'close'); socket.once('data', () => arrived?.()) })
    const { port, line } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 500\r\n\r\nabc')
    await arrival
    client.socket.destroy()
    await gone
    t.equal((await line(({ path }) => path === '/v1/files'))['ending'], 'client_gone')
  })
  await t.test('while the upstream is being connected', async t => {
    const upstream = await startUpstream(t, (_request, response) => { response.end() })
    const { url, app, line } = await startSidecar(t, { upstream: upstream.url })
    const agent = new Agent()
    const pending = request(`${url}/v1/models`, { headers: good, dispatcher: agent })
    app.server.once('request', () => { void agent.destroy() })
    await t.rejects(pending)
    t.equal((await line(({ path }) => path === '/v1/models'))['ending'], 'client_gone')
  })
})

t.test('a client that leaves takes all its pipelined requests with it, not only the first', async t => {
  const gone: Promise<unknown>[] = []
  let arrived: (() => void) | undefined
  const all = new Promise<void>(resolve => { arrived = resolve })
  const upstream = await startRawUpstream(t, socket => {
    gone.push(new Promise(resolve => socket.once('close', resolve)))
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      if (gone.length === 3) arrived?.()
    })
  })
  const { port, url, lines, line } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  for (const name of ['a', 'b', 'c']) client.write(`GET /v1/${name} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n`)
  client.write('GET /v1/socket HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  await all
  client.socket.resetAndDestroy()
  await Promise.all(gone)
  for (const name of ['a', 'b', 'c']) t.match(await line(({ path }) => path === `/v1/${name}`), { ending: 'client_gone' })
  t.match(await (await request(`${url}/metrics`)).body.text(), 'codex_sidecar_lane_in_flight{route="/v1",lane="unverified"} 0\n', 'and their places are free')
  t.notOk(lines().some(({ path }) => path === '/v1/socket'), 'the handshake behind them is not begun')
})

t.test('what is no request is answered in its turn on the connection', async t => {
  const behind: [name: string, bytes: string][] = [
    ['garbage', 'GARBAGE\r\n\r\n'],
    ['garbage in two packets', 'GARBAGE\r\n'],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n']
  ]
  for (const [name, bytes] of behind) {
    await t.test(name, async t => {
      const upstream = await startUpstream(t, (_request, response) => {
        client.write(bytes)
        void told.then(() => { client.write('\r\n'); response.end('first') })
      })
      const { port, app } = await startSidecar(t, { upstream: upstream.url })
      const told = new Promise(resolve => { app.server.once(name === 'CONNECT' ? 'connect' : 'clientError', resolve) })
      const client = new RawClient(t, port)
      client.write(get('/v1/models'))
      t.match(await client.answer(), { status: 200, body: 'first' })
      t.match(await client.answer(), { status: 400, body: /"code":"invalid_request"/ })
      await client.closed()
    })
  }
  await t.test('garbage within an upload', async t => {
    const upstream = await startUpstream(t, (request, response) => {
      if (request.url === '/v1/models') setImmediate(() => response.end('first'))
    })
    const { port } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write(`${get('/v1/models')}POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno length\r\n`)
    t.match(await client.answer(), { status: 200, body: 'first' })
    t.match(await client.answer(), { status: 400, body: /"code":"invalid_request"/ })
    await client.closed()
  })
  await t.test('garbage within an upload that is being answered', async t => {
    const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')) })
    const { port } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write('POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await client.until(() => client.received.endsWith('half'))
    client.write('no length\r\n')
    await client.closed()
    t.ok(client.received.endsWith('half'), 'nothing of ours stands in the answer')
  })
})

t.test('an answer that comes all at once keeps its bytes and gets a length', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', bytes => {
      const body = Buffer.alloc(String(bytes).includes('large') ? 20_000 : 500, '\xff\0a', 'latin1')
      socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]))
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  for (const [path, length] of [['/v1/small', 500], ['/v1/large', 20_000]] as const) {
    const client = new RawClient(t, port)
    client.write(get(path))
    const { headers, body } = await client.answer()
    t.equal(headers['content-length'], String(length))
    t.equal(headers['transfer-encoding'], undefined)
    t.ok(body === Buffer.alloc(length, '\xff\0a', 'latin1').toString('latin1'))
  }
})

t.test('interim answers are passed on, but not for ever', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200))) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  for (let i = 0; i < 100; i++) t.equal((await client.answer()).status, 102)
  t.match(await client.answer(), { status: 502, body: /"code":"upstream_protocol".*interim/ })
})

t.test('an upload that is all there with its head goes on in one piece, whatever its framing was', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const cases = [
    ['Content-Length: 4\r\n\r\nabcd', 'abcd'],
    ['Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n', 'abcde'],
    ['Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '']
  ] as const
  for (const replayBytes of [1 << 20, 2]) { // what is too large to be kept for a second try is sent all the same
    const { port } = await startSidecar(t, { upstream: upstream.url, limits: { replayBytes } })
    const client = new RawClient(t, port)
    for (const [framed, body] of cases) {
      client.write(`POST /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${framed}`)
      t.equal((await client.answer()).status, 200)
      const seen = upstream.seen.at(-1)
      t.equal(seen?.body.toString(), body)
      t.match(seen?.headers, { 'content-length': String(body.length), 'transfer-encoding': undefined })
    }
  }
})

t.test('a request that is over before its body was looked at is never made', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const { app, port, lines } = await startSidecar(t, { upstream: upstream.url })
  app.server.once('request', (_request, response) => { response.emit('close') }) // as Node does for a client that is gone
  const client = new RawClient(t, port)
  client.write('POST /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 2\r\n\r\n{}')
  t.equal((await client.answer()).status, 502)
  client.write(get('/v1/models'))
  t.equal((await client.answer()).status, 200)
  t.strictSame(upstream.seen.map(({ method }) => method), ['GET'])
  t.match(lines(), [{ ending: 'client_gone' }, { ending: 'whole' }])
})

t.test('a head that comes in pieces is put together', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.on('error', () => {}).once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nX-Before: 1\r\nX-Cut: be')
      setImmediate(() => socket.end('gin and end\r\nX-After: 2\r\nContent-Length: 0\r\n\r\n'))
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(get('/v1/models'))
  t.match((await client.answer()).headers, { 'x-before': '1', 'x-cut': 'begin and end', 'x-after': '2' })
  const packet = Buffer.from('A: 1B: 2')
  t.strictSame(decodeRaw([packet.subarray(0, 1), packet.subarray(3, 4), packet.subarray(4, 5), Buffer.allocUnsafeSlow(1).fill('x')]), ['A', '1', 'B', 'x'])
  t.strictSame(decodeRaw([packet.subarray(0, 1), packet.subarray(3, 4)]), ['A', '1'])
})

t.test('whatever Node’s parser takes goes through: any method, any query', async t => {
  const heads: string[] = []
  const upstream = await startRawUpstream(t, socket => {
    socket.on('data', (bytes: Buffer) => {
      heads.push(String(bytes).split(' HTTP')[0] as string)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  const lines = ['PROPFIND /v1/files', 'SEARCH /v1/files', 'REPORT /v1/files', 'M-SEARCH /v1/files', 'GET /v1/files?prefix=C:\\data', 'GET /v1/files?a=\\..\\%5c']
  for (const line of lines) {
    client.write(`${line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n`)
    t.equal((await client.answer()).status, 200, line)
  }
  t.strictSame(heads, lines)
})
