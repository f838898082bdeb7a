import type { Socket } from 'node:net'
import t from 'tap'
import { buildApp } from '../../src/app/app.ts'
import { Listener } from '../../src/app/listener.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { configFor, startSidecar } from '../fixtures/sidecar.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const h2c = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'

/** A chat request as JDK's HTTP client sends it, which offers HTTP/2 with each. */
const chat = (n: number, more = h2c): string => {
  const body = JSON.stringify({ n, text: 'x'.repeat(50_000) })
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`
}

t.test('an offer of another protocol than WebSocket is not taken: the request is served as HTTP/1.1, with its body', async t => {
  const upstream = await startUpstream(t, (_request, response, body) => { json(response, 200, { n: (JSON.parse(body.toString()) as { n: number }).n }) })
  const { app, port, lines } = await startSidecar(t, { upstream: upstream.url })
  const held: number[] = []
  app.server.on('upgrade', (_request, socket: Socket) => { held.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0)) })
  const client = new RawClient(t, port)
  for (let n = 0; n < 15; n++) {
    client.write(chat(n))
    const { status, body, headers } = await client.answer()
    t.match({ status, body, connection: headers['connection'] }, { status: 200, body: `{"n":${n}}`, connection: 'keep-alive' })
  }
  t.notOk(client.ended, 'all of them on one connection')
  t.equal(held.at(-1), held[1], 'nothing piles up on it')
  for (const { headers } of upstream.seen) {
    t.notOk('upgrade' in headers || 'http2-settings' in headers, 'nothing of the offer is forwarded')
    t.notMatch(headers.connection, /upgrade|http2/i)
  }
  t.strictSame(lines().map(({ status, path }) => [status, path]), Array.from({ length: 15 }, () => [200, '/v1/chat/completions']))
})

t.test('an offer in other forms: in chunks, awaited, pipelined, in pieces, with TLS, with other options', async t => {
  const upstream = await startUpstream(t, ({ headers }, response, body) => { json(response, 200, { read: body.length, x: headers['x-kept'] ?? null }) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const head = (more: string, method = 'POST'): string => `${method} /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n${more}`
  const client = new RawClient(t, port)
  const answers = async (...wanted: number[]): Promise<void> => { for (const read of wanted) t.match(await client.answer(), { status: 200, body: `{"read":${read},"x":null}` }) }

  client.write(head(`${h2c}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`))
  client.write('2\r\nde\r\n0\r\n\r\n')
  await answers(5)
  client.write(head(`${h2c}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`))
  t.equal((await client.answer()).status, 100, 'not before the guard has passed it')
  client.write('abcd')
  await answers(4)
  client.write(chat(1, '') + chat(2) + head(`Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nContent-Length: 2\r\n\r\nab`) + head('\r\n', 'GET') + chat(3))
  await answers(50_017, 50_017, 2, 0, 50_017)
  for (const piece of [head(h2c), 'Content-Length: 6\r\n\r', '\nabc', 'def']) {
    client.write(piece)
    await new Promise(resolve => setImmediate(resolve))
  }
  await answers(6)
  client.write(head('Connection: X-Kept, upgrade\r\nConnection: Authorization\r\nUpgrade: h2c\r\nX-Kept: no\r\nContent-Length: 1\r\n\r\na'))
  await answers(1)
  t.equal(upstream.seen.at(-1)?.headers.authorization, 'Bearer good', 'no Connection field takes away what was judged')
  client.write(head('Connection: close, upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na'))
  t.match(await client.answer(), { status: 200, headers: { connection: 'close' } })
  await client.closed()
  const posted = new RawClient(t, port)
  posted.write(head('Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab'))
  t.match(await posted.answer(), { status: 200, body: '{"read":2,"x":null}' }, 'a POST is no handshake (RFC 6455 section 4.1)')
})

t.test('an offer is judged like any other request, also by the app that takes the place of one', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const log = createLog({ level: 'silent' })
  const listener = new Listener(buildApp({ config: configFor({ upstream: upstream.url }), log }))
  const { port } = await listener.listen('127.0.0.1', 0)
  t.teardown(() => listener.close())
  const client = new RawClient(t, port)
  client.write(chat(1).replace('Bearer good', 'Bearer undefined'))
  t.match(await client.answer(), { status: 401, body: /malformed_token/ })
  await listener.replace(buildApp({ config: { ...configFor({ upstream: upstream.url }), routes: [] }, log, before: listener.app.generation }))
  client.write(chat(2))
  t.match(await client.answer(), { status: 404 }, 'on the same connection')
  t.equal(upstream.seen.length, 0)
})
