import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:tls'
import type { AddressInfo, Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { explain } from '../../src/answers/failure.ts'
import { ErrorBody } from '../../src/forward/error-body.ts'
import { relay } from '../../src/forward/relay.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { deadKey, json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const good = bearer('good')
const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n'
const post = (body: string, length = body.length): string => `POST /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: ${length}\r\n\r\n${body}`
const code = (body: string): string | undefined => (JSON.parse(body) as { error: { code?: string } }).error.code

t.test('whatever the upstream does, the client gets an explained answer and keeps its connection', async t => {
  const dead = JSON.stringify(deadKey)
  const cases: [name: string, behave: (socket: Socket) => void, status: number, code: string][] = [
    ['reset before the head', socket => { socket.resetAndDestroy() }, 502, 'upstream_reset'],
    ['FIN before the head', socket => { socket.end() }, 502, 'upstream_reset'],
    ['FIN within the head', socket => { socket.end('HTTP/1.1 200 OK\r\nConte') }, 502, 'upstream_reset'],
    ['garbage', socket => { socket.write('SSH-2.0-OpenSSH_9\r\n') }, 502, 'upstream_protocol'],
    ['headers over 64 KB', socket => { socket.write(`HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(70_000)}\r\n\r\n`) }, 502, 'upstream_protocol'],
    ['an unwanted 101', socket => { socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n') }, 502, 'upstream_protocol'],
    ['a header that can not be sent on', socket => { socket.write('HTTP/1.1 200 OK\r\nX-Bad: a\x01b\r\nContent-Length: 0\r\n\r\n') }, 502, 'upstream_protocol'],
    ['no answer', () => {}, 504, 'upstream_timeout'],
    ['401 and a body that hangs', socket => { socket.write('HTTP/1.1 401 No\r\nContent-Length: 100\r\nRetry-After: 7\r\nCache-Control: private\r\n\r\n{"err') }, 401, 'upstream_incomplete'],
    ['500 and a body that hangs', socket => { socket.write('HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n{"err') }, 500, 'upstream_incomplete'],
    ['401 and a body that breaks off', socket => { socket.end('HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{"err') }, 401, 'upstream_incomplete'],
    ['503 and an endless body', socket => { const flood = (): void => { while (socket.write(`400\r\n${'x'.repeat(1024)}\r\n`)) { /* until it is full */ } }; socket.write('HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n'); socket.on('drain', flood); flood() }, 503, 'upstream_incomplete'],
    ['401 and Connection: close', socket => { socket.end(`HTTP/1.1 401 No\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n${dead}`) }, 401, 'invalid_api_key']
  ]
  for (const [name, behave, status, expected] of cases) {
    for (const message of [get, post('x'.repeat(40_000))]) {
      await t.test(`${name}, ${message.slice(0, 4)}`, async t => {
        let used = 0
        const upstream = await startRawUpstream(t, socket => {
          socket.once('data', () => { if (used++ === 0) behave(socket); else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') })
        })
        const { port, line } = await startSidecar(t, { upstream: upstream.url, times: { headers: 100, streamHeaders: 100, errorBody: 100 } })
        const client = new RawClient(t, port)
        client.write(message)
        const answer = await client.answer()
        t.equal(answer.status, status)
        if (expected !== 'invalid_api_key') await line(logged => logged['code'] === expected)
        t.equal(code(answer.body), expected)
        t.equal(answer.headers['connection'], 'keep-alive')
        t.notMatch(answer.body, /127\.0\.0\.1|ECONN|UND_ERR|at .*\.ts/, 'no internal address, no stack')
        client.write(get.replace('good', 'another'))
        t.match(await client.answer(), { status: 200, body: 'ok' }, 'the same connection serves the next request')
      })
    }
  }
})

t.test('an error body that is whole is passed on, even a large one', async t => {
  const page = '<html>'.padEnd(100_000, '.')
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url === '/v1/known') response.writeHead(403, { 'content-type': 'text/html', 'content-length': page.length }).end(page)
    else if (url === '/v1/small') response.writeHead(403, { 'content-type': 'text/html' }).end('<html>')
    else json(response, 429, { error: { code: 'rate_limit' } }, { 'retry-after': '9', 'x-ratelimit-a': 'b' })
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const known = await request(`${url}/v1/known`, { headers: good })
  t.match({ status: known.statusCode, body: await known.body.text() }, { status: 403, body: page })
  const small = await request(`${url}/v1/small`, { headers: good })
  t.match({ status: small.statusCode, body: await small.body.text() }, { status: 403, body: '<html>' })
  const limited = await request(`${url}/v1/x`, { headers: good })
  t.match(limited, { statusCode: 429, headers: { 'retry-after': '9', 'x-ratelimit-a': 'b' } })
  await limited.body.dump()
})

t.test('an error answer that is large, or comes slowly, is what the upstream sent, with its trailers', async t => {
  const html = '<html>'.padEnd(200_000, 'page ')
  const words = JSON.stringify({ error: { message: 'No '.padEnd(100_000, 'quota '), code: 'rate_limit_exceeded' } })
  const chunk = (bytes: Buffer | string): Buffer => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')])
  const last = '0\r\nX-T: 1\r\n\r\n'
  const head = (status: number, more = ''): string => `HTTP/1.1 ${status} No\r\nContent-Type: text/html\r\nX-Request-Id: theirs\r\n${more}Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n`
  /** What a client gets of an upstream that behaves so. */
  const through = async (t: Test, behave: (socket: Socket) => void, errorBody = 50, asked = get) => {
    const upstream = await startRawUpstream(t, socket => { socket.once('data', () => { behave(socket) }) })
    const { port } = await startSidecar(t, { upstream: upstream.url, times: { errorBody } })
    const client = new RawClient(t, port)
    client.write(asked)
    return client
  }
  /** Sends a byte again and again until it is told to stop. */
  const trickle = (socket: Socket): () => string => {
    let sent = ''
    const timer = setInterval(() => { socket.write(chunk('.')); sent += '.' }, 5)
    socket.once('close', () => { clearInterval(timer) })
    return () => { clearInterval(timer); return sent }
  }
  const gzip = 'Content-Encoding: gzip\r\n'
  const bodies: [name: string, status: number, body: Buffer, more: string][] = [
    ['500 in HTML', 500, Buffer.from(html), ''],
    ['500 in HTML, gzip', 500, gzipSync(randomBytes(100_000)), gzip],
    ['429 in JSON', 429, Buffer.from(words), ''],
    ['401 in JSON', 401, Buffer.from(words), ''],
    ['401 in gzip', 401, gzipSync(words.padEnd(10_000_000)), gzip]
  ]
  for (const [name, status, body, more] of bodies) {
    await t.test(`${name}, ${body.length} bytes`, async t => {
      const client = await through(t, socket => { socket.write(Buffer.concat([Buffer.from(head(status, more)), ...[0, 1, 2].map(n => chunk(body.subarray(Math.ceil(n * body.length / 3), Math.ceil((n + 1) * body.length / 3)))), Buffer.from(last)])) })
      await client.until(() => client.received.endsWith(last))
      const answer = await client.answer()
      t.match(answer, { status, reason: 'No', headers: { 'content-type': 'text/html', 'x-request-id': 'theirs' } })
      t.equal(answer.headers['content-encoding'] ?? '', more === '' ? '' : 'gzip')
      t.ok(answer.body === body.toString('latin1'), 'byte for byte')
    })
  }
  await t.test('403 whose second half takes longer than a 401 may', async t => {
    const client = await through(t, socket => {
      socket.write('HTTP/1.1 403 No\r\nContent-Length: 12\r\n\r\n{"err')
      setTimeout(() => socket.write('or":1}\n'), 70)
    })
    t.match(await client.answer(), { status: 403, body: '{"error":1}\n' })
  })
  await t.test('429 that is a slow event stream without a terminal event', async t => {
    let upstream: Socket | undefined
    const client = await through(t, socket => {
      upstream = socket
      socket.write('HTTP/1.1 429 No\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      const timer = setInterval(() => { socket.write(chunk('data: {"type":"ping"}\n\n')) }, 5)
      socket.once('finish', () => { clearInterval(timer) }).once('close', () => { clearInterval(timer) })
    }, 50, post('{}'))
    await client.until(() => client.received.includes('ping'))
    upstream?.end('0\r\n\r\n')
    t.match(await client.answer(), { status: 429, body: /^(?:data: \{"type":"ping"\}\n\n)+$/ })
  })
  for (const [name, status, first, errorBody] of [['401 byte by byte', 401, '', 1_000], ['503 byte by byte behind 70 KB', 503, 'x'.repeat(70_000), 50], ['503 byte by byte behind 300 KB', 503, 'x'.repeat(300_000), 50]] as const) {
    await t.test(`${name} begins before its end`, async t => {
      let stop = (): string => ''
      let upstream: Socket | undefined
      const client = await through(t, socket => {
        upstream = socket
        socket.write(head(status))
        if (first !== '') socket.write(chunk(first))
        stop = trickle(socket)
      }, errorBody)
      await client.until(() => client.received.includes('\r\n\r\n'))
      const { length } = client.received
      await client.until(() => client.received.length > length)
      const body = first + stop()
      upstream?.write(last)
      await client.until(() => client.received.endsWith(last))
      t.match(await client.answer(), { status, body })
    })
    await t.test(`${name} that breaks off is cut`, async t => {
      let upstream: Socket | undefined
      const client = await through(t, socket => {
        upstream = socket
        socket.write(head(status))
        if (first !== '') socket.write(chunk(first))
        trickle(socket)
      }, errorBody)
      await client.until(() => client.received.includes('\r\n\r\n'))
      upstream?.destroy()
      await t.rejects(client.answer(), /^cut within/)
    })
  }
  await t.test('many at once are held back only as far as there is room for all of them', async t => {
    const limit = 1_000 // 256 times as much for all, 16 for each
    const body = 'x'.repeat(15_900)
    const sockets: Socket[] = []
    let asked: (() => void) | undefined
    const upstream = await startRawUpstream(t, socket => {
      socket.once('data', () => {
        sockets.push(socket)
        socket.write(head(503) + chunk(body).toString(), () => asked?.())
      })
    })
    const { port } = await startSidecar(t, { upstream: upstream.url, limits: { errorBodyBytes: limit }, times: { errorBody: 60_000 } })
    for (const round of ['at first', 'again, since the room was given back']) {
      const clients: RawClient[] = []
      while (clients.length < 20) {
        const client = new RawClient(t, port)
        clients.push(client)
        const there = new Promise<void>(resolve => { asked = resolve })
        client.write(get)
        await there
      }
      await Promise.any(clients.map(async client => { await client.until(() => client.received.includes('\r\n\r\n')) }))
      t.ok(clients.filter(({ received }) => received !== '').length < 10, `most are held back, ${round}`)
      for (const socket of sockets) socket.end(last)
      for (const client of clients) {
        const answer = await client.answer()
        t.ok(answer.status === 503 && answer.body === body, 'byte for byte')
      }
      sockets.length = 0
    }
  })
  await t.test('one whose head can not be written ends its connection only', async t => {
    const server = createServer((_request, response) => {
      const body = new ErrorBody({
        status: 503, message: '', headers: ['no token', ''], response, requestId: '', limit: 1_000_000, patience: 50, room: { left: 0 }, learn: () => [], abort: () => {},
        relay: head => relay(response, head, { path: '/v1/models', heartbeat: undefined, overhear: () => {} })
      })
      const timer = setInterval(() => { body.data(Buffer.alloc(70_000)) }, 5)
      response.once('close', () => { clearInterval(timer) })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const client = new RawClient(t, (server.address() as AddressInfo).port)
    client.write(get)
    await client.closed()
    t.equal(client.received, '')
  })
})

t.test('an upstream that can not be reached', async t => {
  const closed = await startRawUpstream(t, () => {})
  const { url } = closed
  const cases: [name: string, upstream: string, status: number, code: string][] = [
    ['refused', 'http://127.0.0.1:1', 502, 'upstream_unreachable'],
    ['unresolved', 'http://nobody.invalid', 502, 'upstream_unreachable'],
    ['TLS spoken to what speaks none', url.replace('http:', 'https:'), 502, 'upstream_tls']
  ]
  for (const [name, upstream, status, expected] of cases) {
    await t.test(name, async t => {
      const { url } = await startSidecar(t, { upstream, times: { connect: 2000 } })
      const { statusCode, headers, body } = await request(`${url}/v1/models`, { headers: good })
      const text = await body.text()
      if (name === 'TLS spoken to what speaks none') t.ok([502, 504].includes(statusCode))
      else t.match({ statusCode, code: code(text) }, { statusCode: status, code: expected })
      t.match(headers['proxy-status'], /^codex-sidecar; error=/)
      t.notMatch(text, /127\.0\.0\.1|nobody\.invalid/)
    })
  }
})

t.test('TLS is verified: no token goes to a certificate that nobody vouches for', async t => {
  const { key, cert } = await selfSigned('localhost')
  let bytes = 0
  const server = createTlsServer({ key, cert }, socket => {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => { bytes += chunk.length; socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') })
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const status = async (t: Test, host: string, caFile?: string) => {
    const { url } = await startSidecar(t, { upstream: `https://${host}:${port}`, ...(caFile === undefined ? {} : { env: { CODEX_SIDECAR_CONFIG: caFile } }) })
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: good })
    const text = await body.text()
    return { statusCode, code: text === '' ? '' : code(text) }
  }
  await t.test('unknown CA', async t => { t.match(await status(t, 'localhost'), { statusCode: 502, code: 'upstream_tls' }) })
  t.equal(bytes, 0, 'not a byte of the request was sent')
  const dir = t.testdir({ 'ca.pem': cert, 'a.json': '' })
  writeFileSync(`${dir}/a.json`, JSON.stringify({ caFile: `${dir}/ca.pem` }))
  await t.test('a CA of one’s own', async t => { t.match(await status(t, 'localhost', `${dir}/a.json`), { statusCode: 200 }) })
  const before = bytes
  await t.test('wrong name', async t => { t.match(await status(t, '127.0.0.1', `${dir}/a.json`), { statusCode: 502, code: 'upstream_tls' }) })
  t.equal(bytes, before)
})

t.test('an HTTP proxy on the way', async t => {
  const cases: [name: string, behave: (socket: Socket) => void, status: number, code: string][] = [
    ['that hangs up', socket => { socket.destroy() }, 502, 'upstream_unreachable'],
    ['that refuses', socket => { socket.once('data', () => socket.end('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n')) }, 502, 'upstream_unreachable']
  ]
  for (const [name, behave, status, expected] of cases) {
    await t.test(name, async t => {
      const proxy = await startRawUpstream(t, behave)
      const env = { https_proxy: proxy.url }
      const { url } = await startSidecar(t, { upstream: 'https://upstream.test', env })
      const { statusCode, body } = await request(`${url}/v1/models`, { headers: good })
      t.equal(statusCode, status)
      t.equal(code(await body.text()) ?? 'undefined', expected)
      t.ok(proxy.connections < 5, 'it is not dialled for ever')
      const loopback = await startUpstream(t, (_request, response) => { response.end() })
      const { url: direct } = await startSidecar(t, { upstream: loopback.url, env: { ...env, http_proxy: proxy.url } })
      const { statusCode: fine, body: none } = await request(`${direct}/v1/models`, { headers: good })
      await none.dump()
      t.equal(fine, 200, 'loopback is reached without it')
    })
  }
})

t.test('a 401 teaches only what is certain', async t => {
  const certain: [name: string, body: unknown, headers?: Record<string, string>][] = [
    ['invalid_api_key', deadKey],
    ['token_expired', { error: { code: 'token_expired' } }],
    ['token_revoked', { code: 'token_revoked' }],
    ['token_invalidated', { detail: { code: 'token_invalidated' } }],
    ['its message', { error: { message: 'Invalid bearer token' } }],
    ['gzip', gzipSync(JSON.stringify(deadKey)), { 'content-encoding': 'gzip' }],
    ['br', brotliCompressSync(JSON.stringify(deadKey)), { 'content-encoding': 'br' }],
    ['deflate', deflateSync(JSON.stringify(deadKey)), { 'content-encoding': 'deflate' }]
  ]
  const unsure: typeof certain = [
    ['Unauthorized', { detail: 'Unauthorized' }],
    ['empty', Buffer.alloc(0)],
    ['HTML', Buffer.from('<html>401</html>')],
    ['a JSON string', Buffer.from('"Unauthorized"')]
  ]
  const aboutTheRequest: typeof certain = [
    ['missing scopes', { error: { message: 'Missing scopes: api.responses.write', code: 'invalid_api_key' } }],
    ['an unknown code', { error: { code: 'toString' } }],
    ['authentication_error', { type: 'error', error: { type: 'authentication_error', message: 'some words' } }],
    ['a JSON string that may say something', Buffer.from('"no"')],
    ['an unknown coding, which may hide one', gzipSync(JSON.stringify(deadKey)), { 'content-encoding': 'snappy' }],
    ['a broken coding', Buffer.from('no gzip'), { 'content-encoding': 'gzip' }]
  ]
  for (const [list, expected] of [[certain, 1], [unsure, 4], [aboutTheRequest, 6]] as const) {
    for (const [name, body, headers] of list) {
      await t.test(name, async t => {
        const upstream = await startUpstream(t, (_request, response) => {
          if (Buffer.isBuffer(body)) response.writeHead(401, headers).end(body)
          else json(response, 401, body)
        })
        const { url } = await startSidecar(t, { upstream: upstream.url })
        for (let i = 0; i < 6; i++) {
          const { statusCode, headers, body } = await request(`${url}/v1/models`, { headers: good })
          await body.dump()
          t.equal(statusCode, 401)
          if (i === 0) t.equal(headers['retry-after'], expected === 1 ? '0' : undefined, 'patience only where it may pass')
        }
        t.equal(upstream.seen.length, expected)
      })
    }
  }
  for (const status of [403, 407, 429, 500, 503]) {
    await t.test(String(status), async t => {
      const upstream = await startUpstream(t, (_request, response) => { json(response, status, deadKey) })
      const { url } = await startSidecar(t, { upstream: upstream.url })
      for (let i = 0; i < 3; i++) await (await request(`${url}/v1/models`, { headers: good })).body.dump()
      t.equal(upstream.seen.length, 3)
    })
  }
  await t.test('a definitive 401 keeps a Retry-After of its own', async t => {
    const upstream = await startUpstream(t, (_request, response) => { json(response, 401, deadKey, { 'retry-after': '5' }) })
    const { url } = await startSidecar(t, { upstream: upstream.url })
    const { headers, body } = await request(`${url}/v1/models`, { headers: good })
    await body.dump()
    t.equal(headers['retry-after'], '5')
  })
})

t.test('an upload survives whatever the upstream does with it', async t => {
  const behaviours: [name: string, behave: (socket: Socket) => void, status: number][] = [
    ['an early answer', socket => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') }, 200],
    ['an early 401 and close', socket => { socket.end(`HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`) }, 401],
    ['a reset', socket => { socket.resetAndDestroy() }, 502],
    ['no reading', socket => { socket.pause() }, 504]
  ]
  for (const [name, behave, status] of behaviours) {
    await t.test(name, async t => {
      let used = 0
      const upstream = await startRawUpstream(t, socket => { socket.once('data', () => { if (used++ === 0) behave(socket); else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n') }) })
      const { port } = await startSidecar(t, { upstream: upstream.url, times: { headers: 100 } })
      const client = new RawClient(t, port)
      client.write(post('', 20_000_000))
      client.write(Buffer.alloc(20_000_000))
      t.equal((await client.answer()).status, status)
      client.write(get)
      t.equal((await client.answer()).status, 200, 'the upload was read to its end, and the connection serves on')
    })
  }
  await t.test('but it is not read for ever', async t => {
    const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.resetAndDestroy()) })
    const { port } = await startSidecar(t, { upstream: upstream.url, limits: { readOutBytes: 1_000_000 } })
    const client = new RawClient(t, port)
    client.write(post('', 20_000_000))
    client.write(Buffer.alloc(20_000_000))
    await client.closed()
  })
})

t.test('a stale upstream socket is tried again once, a fresh one never', async t => {
  const arrivals: number[] = []
  const upstream = await startRawUpstream(t, (socket, connection) => {
    let requests = 0
    socket.on('data', () => {
      arrivals.push(connection)
      if (requests++ === 0 && connection !== 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      else socket.resetAndDestroy()
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  for (const lane of ['unverified', 'verified']) {
    client.write(get)
    t.equal((await client.answer()).status, 200, lane)
  }
  client.write(post('hello'))
  t.equal((await client.answer()).status, 502, 'the second try goes over a fresh socket, and is the last')
  t.strictSame(arrivals, [0, 1, 1, 2])
  client.write(post('hello'))
  t.equal((await client.answer()).status, 200)
  client.write(post('hello'))
  t.equal((await client.answer()).status, 200, 'a replay that succeeds is not felt')
  t.strictSame(arrivals, [0, 1, 1, 2, 3, 3, 4])
  t.equal(await new Promise(resolve => {
    const big = new RawClient(t, port)
    big.write(post('x'.repeat(2_000_000)))
    void big.answer().then(({ status }) => { resolve(status) })
  }), 502, 'a body too large to keep is not sent twice')
})

t.test('a full lane answers once the wait for a place is over, and leaves the other lane alone', async t => {
  const waiting: (() => void)[] = []
  const upstream = await startUpstream(t, ({ headers }, response) => {
    if (headers['x-wait'] === undefined) response.end()
    else waiting.push(() => response.end())
  })
  const { url } = await startSidecar(t, { upstream: upstream.url, lanes: { unverified: 2 }, times: { place: 1 } })
  const send = (token: string, wait: Record<string, string> = {}) => request(`${url}/v1/models`, { headers: { ...bearer(token), ...wait } })
  await (await send('good')).body.dump()
  const held = [send('new-1', { 'x-wait': '1' }), send('new-2', { 'x-wait': '1' })]
  while (waiting.length < 2) await new Promise(resolve => setImmediate(resolve))
  const refused = await send('new-3')
  t.match(refused, { statusCode: 503, headers: { 'retry-after': '1' } })
  t.equal(code(await refused.body.text()), 'lane_full')
  t.equal((await send('good')).statusCode, 200, 'a token known to be good has its own lane')
  for (const end of waiting) end()
  for (const answer of await Promise.all(held)) await answer.body.dump()
  t.equal((await send('new-3')).statusCode, 200, 'places are given back')
})

t.test('failures by their codes', t => {
  const cases: [code: string, ours: string][] = [
    ['EHOSTUNREACH', 'upstream_unreachable'], ['UND_ERR_CONNECT_TIMEOUT', 'upstream_timeout'], ['CERT_HAS_EXPIRED', 'upstream_tls'],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'upstream_protocol'], ['UND_ERR_INVALID_ARG', 'invalid_request'], ['EPIPE', 'upstream_reset'], ['TLS_RESET', 'upstream_unreachable'],
    ['EINVAL', 'upstream_unreachable'], ['EACCES', 'upstream_unreachable'], ['EPERM', 'upstream_unreachable']
  ]
  for (const [code, ours] of cases) t.equal(explain(Object.assign(new Error('x'), { code })).code, ours)
  t.equal(explain(new Error('bad upgrade')).code, 'upstream_protocol')
  for (const [code, says] of [['SELF_SIGNED_CERT_IN_CHAIN', 'signed by nobody this machine trusts'], ['ERR_SSL_WRONG_VERSION_NUMBER', 'speaks no TLS'], ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'the handshake failed']] as const) {
    t.match(explain(Object.assign(new Error('x'), { code })), { code: 'upstream_tls', message: says })
  }
  t.end()
})

t.test('an error answer keeps its trailers', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', () => { socket.write('HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n') })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write('GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
  await client.until(() => client.received.endsWith('0\r\nX-T: 1\r\n\r\n'))
  t.match(client.received, /^HTTP\/1\.1 429 No\r\n.*\r\n0\r\nX-T: 1\r\n\r\n$/s)
})
