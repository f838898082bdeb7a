import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { readOutFirst } from '../../src/upstream/connect/read-out.ts'
import { createRelocation } from '../../src/upstream/location.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { resetOnceRead } from '../fixtures/reset-once-read.ts'
import { startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const good = bearer('good')
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n'
const send = (method: string, more = ''): string => `${method} /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 5\r\n${more}\r\nhello`

/** A client whose token's lane has a kept socket, on which the upstream does as told with the next request; it answers all on other sockets. */
async function onKeptSocket (t: Test, fail: (socket: Socket) => void, options: Partial<SidecarOptions> = {}) {
  const arrivals: string[] = []
  const upstream = await startRawUpstream(t, (socket, connection) => {
    let requests = 0
    socket.on('data', (chunk: Buffer) => {
      const [first = ''] = chunk.toString('latin1').split(' ')
      arrivals.push(first)
      if (connection === 1 && requests++ > 0) fail(socket)
      else socket.write(ok)
    })
  })
  const sidecar = await startSidecar(t, { upstream: upstream.url, ...options })
  const client = new RawClient(t, sidecar.port)
  for (let i = 0; i < 2; i++) { // the first makes the token good, the second opens the lane that it then has
    client.write(get)
    await client.answer()
  }
  arrivals.length = 0
  return { client, arrivals, ...sidecar }
}

t.test('what was sent on a kept socket is sent again only where it can not be done twice (RFC 9110 section 9.2.2)', async t => {
  const reset = (socket: Socket): void => { socket.resetAndDestroy() }
  const close = (socket: Socket): void => { socket.end() }
  const late = (act: (socket: Socket) => void) => (socket: Socket): void => { setTimeout(act, 600, socket) } // the time is what is tested
  const cases: [name: string, message: string, fail: (socket: Socket) => void, status: number, arrivals: number][] = [
    ['POST, reset at once: nobody has begun on it', send('POST'), reset, 200, 2],
    ['POST, closed at once', send('POST'), close, 200, 2],
    ['POST, reset later', send('POST'), late(reset), 502, 1],
    ['POST, closed later', send('POST'), late(close), 502, 1],
    ['PATCH, reset later', send('PATCH'), late(reset), 502, 1],
    ['POST with an Idempotency-Key, reset later', send('POST', 'Idempotency-Key: a\r\n'), late(reset), 200, 2],
    ['PUT, reset later', send('PUT'), late(reset), 200, 2],
    ['GET, reset later', get, late(reset), 200, 2],
    ['POST, no answer in time', send('POST'), () => {}, 504, 1],
    ['POST with an Idempotency-Key, no answer in time', send('POST', 'Idempotency-Key: a\r\n'), () => {}, 504, 1],
    ['GET, no answer in time', get, () => {}, 504, 1],
    ['GET, an answer that is none', get, socket => { socket.write('SSH-2.0\r\n') }, 502, 1],
    ['GET, reset within the head of its answer', get, socket => { socket.write('HTTP/1.1 200 OK\r\nCon', () => { void resetOnceRead(socket) }) }, 502, 1]
  ]
  for (const [name, message, fail, status, sent] of cases) {
    await t.test(name, async t => {
      const { client, arrivals } = await onKeptSocket(t, fail, { times: { headers: 1_500 } })
      client.write(message)
      t.equal((await client.answer()).status, status)
      t.equal(arrivals.length, sent, 'requests at the upstream')
    })
  }
})

t.test('what is sent again goes out on a socket of its own, since where one kept socket is stale all may be', async t => {
  const arrivals: number[] = []
  const held: (() => void)[] = []
  const upstream = await startRawUpstream(t, (socket, connection) => {
    let requests = 0
    socket.on('data', () => {
      arrivals.push(connection)
      if (requests++ > 0) socket.resetAndDestroy()
      else if (connection === 0 || connection > 3) socket.write(ok)
      else if (held.push(() => socket.write(ok)) === 3) for (const answer of held) answer()
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const clients = Array.from({ length: 3 }, () => new RawClient(t, port))
  clients[0]?.write(get) // makes the token good
  await clients[0]?.answer()
  for (const client of clients) client.write(send('POST'))
  for (const client of clients) await client.answer()
  arrivals.length = 0
  const [client] = clients as [RawClient]
  client.write(send('POST'))
  t.equal((await client.answer()).status, 200)
  t.equal(arrivals.length, 2, 'one kept socket was tried, and then none')
})

t.test('a request that the upstream has taken is not to be repeated after our 504, one that never got there may be', async t => {
  const silent = await startRawUpstream(t, socket => { socket.resume() })
  const deaf = await startRawUpstream(t, socket => { socket.pause() })
  const whole = await startSidecar(t, { upstream: silent.url, times: { headers: 100 } })
  for (const message of [get, send('POST')]) {
    const client = new RawClient(t, whole.port)
    client.write(message)
    const { status, headers, body } = await client.answer()
    t.match({ status, body }, { status: 504, body: /upstream_timeout.*may be paid for twice/ })
    t.notMatch(body, /connection error|socket hang up|retry/i, 'nor do its words invite to it')
    t.equal(headers['x-should-retry'], 'false', 'each repetition is paid for')
    t.equal(headers['retry-after'], undefined)
  }
  const half = await startSidecar(t, { upstream: deaf.url, times: { headers: 100 } })
  const upload = new RawClient(t, half.port)
  upload.write(send('POST').replace('5', '50000000'))
  upload.write(Buffer.alloc(50_000_000))
  t.match(await upload.answer(), { status: 504, body: /connection error \(.*; retry/, headers: { 'x-should-retry': undefined } }, 'its body is not there')
  const never = await startSidecar(t, { upstream: silent.url.replace('http:', 'https:'), times: { connect: 100 } })
  const client = new RawClient(t, never.port)
  client.write(send('POST'))
  t.match(await client.answer(), { status: 504, body: /no connection/, headers: { 'x-should-retry': undefined } }, 'it was never connected')
})

t.test('references to our own upstream lead through us', async t => {
  const cases: [upstream: string, prefix: string, from: string, to: string][] = [
    ['http://u:81/v1/', '/v1', 'http://u:81/v1/models/', '/v1/models/'],
    ['http://u:81/v1/', '/v1', 'http://u:81/v1/a%2Fb?q=%20#f', '/v1/a%2Fb?q=%20#f'],
    ['http://u:81/v1/', '/v1', 'HTTP://U:81/v1', '/v1'],
    ['http://u:80/v1/', '/v1', 'http://u/v1/x', '/v1/x'],
    ['http://u/a/b/', '/v1', 'http://u/a/b/x', '/v1/x'],
    ['http://u/a/b/', '/v1', '/a/b/x', '/v1/x'],
    ['http://u/a/b/', '/v1', '//u/a/b/x', '/v1/x'],
    ['http://u/', '/v1', 'http://u/x', '/v1/x'],
    ['http://u/', '', 'http://u/x', '/x'],
    ['http://u/a/b/', '/v1', 'http://u/a/bc', 'http://u/a/bc'],
    ['http://u/a/b/', '/v1', 'http://u/a/b/../c', 'http://u/a/b/../c'],
    ['http://u/a/b/', '/v1', '/elsewhere', '/elsewhere'],
    ['http://u/a/b/', '/v1', 'https://u/a/b/x', 'https://u/a/b/x'],
    ['http://u/a/b/', '/v1', 'http://u.test/a/b/x', 'http://u.test/a/b/x'],
    ['http://u/a/b/', '/v1', 'models/x', 'models/x'],
    ['http://u/a/b/', '/v1', '?page=2', '?page=2'],
    ['http://u/a/b/', '/v1', 'mailto:a@u', 'mailto:a@u'],
    ['http://u/a/b/', '/v1', 'http://[', 'http://[']
  ]
  for (const [upstream, prefix, from, to] of cases) {
    const headers = ['Date', from, 'Location', from, 'X-Other1', from, 'content-location', from]
    createRelocation(prefix, new URL(upstream))(headers)
    t.strictSame(headers, ['Date', from, 'Location', to, 'X-Other1', from, 'content-location', to], `${from} with ${prefix} for ${upstream}`)
  }

  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url === '/v1/models') response.writeHead(307, { Location: `${upstream.url}/v1/models/` }).end()
    else response.end(url)
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const answer = await fetch(`${url}/v1/models`, { headers: good })
  t.match({ status: answer.status, redirected: answer.redirected, text: await answer.text() }, { status: 200, redirected: true, text: '/v1/models/' }, 'a client follows it with its credential')
  t.strictSame(upstream.seen.map(({ headers }) => headers.authorization), [good.authorization, good.authorization])
  const elsewhere = await startUpstream(t, (_request, response) => { response.writeHead(201, { Location: 'https://elsewhere.test/v1/x', 'Content-Location': '/v1/y' }).end() })
  const other = await startSidecar(t, { upstream: elsewhere.url })
  const { headers, body } = await request(`${other.url}/v1/x`, { headers: good })
  await body.dump()
  t.match(headers, { location: 'https://elsewhere.test/v1/x', 'content-location': '/v1/y' })
})

/** Answers as soon as a request's head is there, and closes though its body still comes: the system resets the connection then. */
const hasty = (answer: string) => (socket: Socket): void => {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.pause()
    socket.write(answer, () => { socket.destroy() })
  })
}

t.test('an upstream that answers within an upload and closes is heard, as curl hears it', async t => {
  const large = Buffer.alloc(20_000_000)
  const head = `POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: ${large.length}\r\n\r\n`
  const early = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large'
  await t.test('its answer', async t => {
    const upstream = await startRawUpstream(t, hasty(early))
    const { port } = await startSidecar(t, { upstream: upstream.url })
    for (let i = 0; i < 5; i++) {
      const client = new RawClient(t, port)
      client.write(head)
      client.write(large)
      t.match(await client.answer(), { status: 413, reason: 'Too Large', body: 'too large' })
    }
  })
  await t.test('over TLS', async t => {
    const { key, cert } = await selfSigned('localhost')
    const server = createTlsServer({ key, cert }, hasty(early))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = await startSidecar(t, { upstream: `https://localhost:${(server.address() as AddressInfo).port}`, config: { ca: [cert] } })
    const client = new RawClient(t, port)
    client.write(head)
    client.write(large)
    t.match(await client.answer(), { status: 413, body: 'too large' })
  })
  await t.test('but half of one without a length is not whole', async t => {
    const upstream = await startRawUpstream(t, hasty('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf'))
    const { port } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write(head)
    client.write(large)
    await t.rejects(client.answer(), /^cut within|closed before/)
  })
})

t.test('a broken connection whose reader takes nothing is not waited for', async t => {
  const server = createServer(hasty('HTTP/1.1 200 OK\r\n\r\n'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  readOutFirst(socket, () => { t.fail('nothing was read to its end') })
  const fill = (): void => { while (socket.write(Buffer.alloc(65_536))) { /* until it is full */ } }
  socket.on('drain', fill)
  fill()
  const [error] = await once(socket, 'error') as [NodeJS.ErrnoException]
  t.match(error.code, /^(?:EPIPE|ECONNRESET)$/)
})

t.test('a connection that ended in order before it broke is not taken for a broken one', async t => {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  for (const [name, inOrder] of [['an end, then a reset', true], ['a reset', false]] as const) {
    await t.test(name, async t => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
      let broken = false
      readOutFirst(socket, () => { broken = true })
      const [[peer]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(socket, 'connect')])
      await new Promise(resolve => { socket.write('what is not read', resolve) })
      const gone = once(peer, 'close')
      if (inOrder) peer.end('whole', () => { peer.resetAndDestroy() })
      else peer.write('half', () => { peer.resetAndDestroy() })
      await gone
      let received = ''
      const failed = once(socket, 'error')
      socket.write('more', () => {}) // fails at once, before anything is read
      socket.on('data', (chunk: Buffer) => { received += chunk.toString() }).resume()
      await failed
      t.equal(received, inOrder ? 'whole' : 'half')
      t.equal(broken, !inOrder || process.platform !== 'linux')
    })
  }
})
