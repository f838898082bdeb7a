import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

type Value = Record<string, string | number | undefined>
interface OtlpSpan { traceId: string, spanId: string, parentSpanId?: string, name: string, kind: number, status: { code: number }, attributes: { key: string, value: Value }[] }
interface OtlpBody { resourceSpans: { resource: { attributes: { key: string, value: Value }[] }, scopeSpans: { spans: OtlpSpan[] }[] }[] }

/** An OTLP/HTTP receiver: what it was sent, as text and as spans by the value of their attributes. */
async function startCollector (t: Test) {
  const texts: string[] = []
  const server = createServer((message, response) => {
    void message.toArray().then(chunks => {
      texts.push(Buffer.concat(chunks as Buffer[]).toString())
      json(response, 200, {})
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const bodies = (): OtlpBody[] => texts.map(text => JSON.parse(text) as OtlpBody)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    texts, bodies,
    spans: () => bodies().flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))).map(({ attributes, ...span }) =>
      ({ ...span, attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]])) }))
  }
}

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

t.test('off: traceparent and tracestate pass as they are', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  await request(`${url}/v1/models`, { headers: { ...bearer('good'), Traceparent: parent, tracestate: 'a=1,b=2' } })
  await request(`${url}/v1/models`, { headers: { ...bearer('good'), traceparent: 'whatever' } })
  await request(`${url}/v1/models`, { headers: bearer('good') })
  const of = (i: number) => (upstream.seen[i]?.rawHeaders.join('\n').match(/^trace.*\n.*/gim) ?? []).join('\n')
  t.strictSame([0, 1, 2].map(of), [`Traceparent\n${parent}\ntracestate\na=1,b=2`, 'traceparent\nwhatever', ''])
})

t.test('one span for each request: child of the client’s, parent of the upstream’s, and nothing of the token or the query', async t => {
  const collector = await startCollector(t)
  const upstream = await startUpstream(t, ({ url }, response) => { json(response, url === '/v1/broken' ? 500 : 200, {}) })
  new WebSocketServer({ server: upstream.server }).on('connection', socket => { socket.close() })
  const { url, app } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_TRACES: collector.url } })
  const ask = async (path: string, headers: Record<string, string>): Promise<void> => { await (await request(`${url}${path}`, { headers })).body.dump() }
  await ask('/v1/models?secret=query', { ...bearer('secret-token'), traceparent: parent, tracestate: 'a=1' })
  await ask('/v1/broken', bearer('secret-token'))
  await ask('/v1/models', { ...bearer('secret-token'), traceparent: parent.replace(/01$/, '00') })
  await ask('/v1/expired', bearer(expiredJwt()))
  await ask('/nowhere', { traceparent: 'whatever', tracestate: 'a=1' })
  const session = new WebSocket(`${url.replace('http', 'ws')}/v1/session`, { headers: bearer('secret-token') })
  await once(session, 'close')
  await app.close()

  const spans = collector.spans()
  t.equal(spans.length, 5, 'those that the client does not want are not sent')
  const [models, broken, expired, nowhere, socket] = ['/v1/models', '/v1/broken', '/v1/expired', '/nowhere', '/v1/session'].map(path => spans.find(({ attributes }) => attributes['url.path'] === path))
  t.match(models, {
    traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331', name: 'GET /v1', kind: 2, status: { code: 0 },
    attributes: { 'http.request.method': 'GET', 'http.route': '/v1', 'http.response.status_code': 200, 'url.scheme': 'http', 'network.protocol.version': '1.1', 'codex_sidecar.lane': 'unverified', 'codex_sidecar.ending': 'whole' }
  })
  t.match(upstream.seen[0]?.headers, { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${models?.spanId}-01`, tracestate: 'a=1' })
  t.match(broken, { status: { code: 2 }, attributes: { 'http.response.status_code': 500, 'error.type': '500' } })
  t.match(upstream.seen[1]?.headers, { traceparent: `00-${broken?.traceId}-${broken?.spanId}-01` })
  t.match(upstream.seen[2]?.headers, { traceparent: /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)\w{16}-00$/ })
  t.match(expired, { status: { code: 0 }, attributes: { 'http.response.status_code': 401, 'codex_sidecar.code': 'token_expired', 'codex_sidecar.source': 'claims' } })
  t.match(nowhere, { name: 'GET', attributes: { 'http.response.status_code': 404, 'codex_sidecar.code': 'no_route' } })
  t.notOk(nowhere?.parentSpanId)
  t.match(socket, { attributes: { 'http.response.status_code': 101 } })
  t.match(collector.bodies()[0]?.resourceSpans[0]?.resource.attributes, [{ key: 'service.name', value: { stringValue: 'codex-sidecar' } }])
  t.notMatch(collector.texts.join(), /secret/)
})

t.test('a cut answer and a client that left are told apart', async t => {
  const collector = await startCollector(t)
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', (head: Buffer) => { if (head.includes('/cut')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf') })
  })
  const { url, app, line } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_TRACES: collector.url } })
  await t.rejects(request(`${url}/v1/cut`, { headers: bearer('good') }).then(({ body }) => body.text()))
  await t.rejects(request(`${url}/v1/slow`, { headers: bearer('good'), signal: AbortSignal.timeout(50) }))
  await line(({ path }) => path === '/v1/slow')
  await app.close()
  const of = (path: string) => collector.spans().find(({ attributes }) => attributes['url.path'] === path)
  t.match(of('/v1/cut'), { status: { code: 2 }, attributes: { 'http.response.status_code': 200, 'error.type': '200', 'codex_sidecar.ending': 'cut' } })
  t.match(of('/v1/slow'), { status: { code: 0 }, attributes: { 'http.response.status_code': 499, 'codex_sidecar.ending': 'client_gone' } })
})

t.test('a collector that is not there harms nobody, and the log says so', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const { url, app, lines } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_TRACES: 'http://127.0.0.1:9/v1/traces' } })
  t.match(await request(`${url}/v1/models`, { headers: bearer('good') }), { statusCode: 200 })
  await app.close()
  t.match(lines().at(-1), { level: 40, msg: '1 traces could not be sent to http://127.0.0.1:9/v1/traces' })
})
