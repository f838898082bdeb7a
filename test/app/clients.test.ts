import { writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { loadConfig, type Config } from '../../src/config/config.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream, type Seen } from '../fixtures/upstream.ts'

// Every client comes through: what real ones send (field.md, parts C and H), as bytes.

const page = 'http://localhost:5173'
const version = { 'anthropic-version': '2023-06-01' }

/** A stand-in for one company, which knows what it is sent. */
const company = (t: Test) => startUpstream(t, ({ method }, response) => {
  if (method === 'OPTIONS') response.writeHead(204, { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' }).end()
  else json(response, 200, { ok: true })
})

/** Three companies behind the default routes. */
async function companies (t: Test, options: Partial<SidecarOptions> = {}) {
  const [chatgpt, openai, anthropic] = [await company(t), await company(t), await company(t)]
  const sidecar = await startSidecar(t, {
    ...options,
    upstream: chatgpt.url,
    env: { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${chatgpt.url}/backend-api/`, CODEX_SIDECAR_OPENAI_UPSTREAM: `${openai.url}/v1/`, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${anthropic.url}/v1/`, ...options.env }
  })
  const ask = async (path: string, headers: Record<string, string>, method: 'GET' | 'POST' | 'OPTIONS' = 'GET') => {
    const { statusCode: status, headers: fields, body } = await request(`${sidecar.url}${path}`, { method, headers })
    return { status, headers: fields, text: await body.text() }
  }
  return { ...sidecar, ask, chatgpt, openai, anthropic }
}

/** Routes as a configuration file has them. */
function routesFrom (t: Test, routes: object[]): Pick<Config, 'routes'> {
  const file = `${t.testdir()}/routes.json`
  writeFileSync(file, JSON.stringify({ routes }))
  const { routes: settled } = loadConfig({ flags: { config: file } })
  return { routes: settled }
}

const urls = (seen: readonly Seen[]): string[] => seen.map(({ method, url }) => `${method} ${url}`)

t.test('Anthropic’s other paths go to Anthropic by their version, whatever their credential', async t => {
  const { ask, openai, anthropic, lines } = await companies(t)
  for (const headers of [{ 'x-api-key': 'sk-ant-api03-a' }, bearer('sk-ant-api03-a'), bearer('a-company-gateways-token')]) {
    for (const path of ['/v1/models?limit=1000', '/v1/files', '/v1/skills', '/v1/complete', '/v1/messages/count_tokens']) {
      t.equal((await ask(path, { ...headers, ...version })).status, 200, path)
    }
  }
  t.equal(anthropic.seen.length, 15)
  t.equal(anthropic.seen[0]?.url, '/v1/models?limit=1000')
  t.strictSame(urls(openai.seen), [], 'no token of theirs has come to another company')
  t.equal((await ask('/v1/models', bearer('sk-proj-a'))).status, 200)
  t.strictSame(urls(openai.seen), ['GET /v1/models'])
  t.strictSame([...new Set(lines().map(({ route }) => route))], ['/v1+anthropic-version', '/v1/messages', '/v1'])
  t.match(JSON.parse((await ask('/status', {})).text), { routes: [{}, {}, { path: '/v1/', requests: 1 }, { path: '/v1/ with anthropic-version', requests: 12 }] })
})

t.test('a verdict on one of two routes with one prefix says nothing about the other', async t => {
  const upstream = await startUpstream(t, ({ headers }, response) => {
    const dead = 'anthropic-version' in headers
    json(response, dead ? 401 : 200, dead ? deadKey : {})
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const status = async (headers: object): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: { ...bearer('one'), ...headers } })
    await body.dump()
    return statusCode
  }
  t.strictSame([await status(version), await status(version), await status({}), await status(version)], [401, 401, 200, 401])
  t.equal(upstream.seen.length, 2)
  t.match((await (await request(`${url}/metrics`)).body.text()), /codex_sidecar_requests_total\{route="\/v1\+anthropic-version",status="401"/)
})

t.test('the more specific route wins: the longest prefix that has its marks, then the most marks', async t => {
  const upstream = await company(t)
  const route = (name: string, prefix: string, marks?: string[]) => ({ prefix, upstream: `${upstream.url}/${name}/`, credential: [], ...marks && { marks } })
  const { url } = await startSidecar(t, {
    upstream: upstream.url,
    config: routesFrom(t, [route('plain', '/a/'), route('one', '/a/', ['X-One']), route('two', '/a', ['x-one', 'X-Two: Bearer sk-']), route('deep', '/a/b/', ['x-deep']), route('other', '/c', ['x-one'])])
  })
  const where = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, body } = await request(`${url}${path}`, { headers })
    const text = await body.text()
    return statusCode === 200 ? upstream.seen.at(-1)?.url : text
  }
  t.equal(await where('/a/x'), '/plain/x')
  t.equal(await where('/a/x', { 'x-one': '' }), '/one/x')
  t.equal(await where('/a/x', { 'x-one': '1', 'X-Two': 'bearer   sk-1' }), '/two/x', 'a scheme has no case')
  t.equal(await where('/a/x', { 'x-one': '1', 'x-two': 'Bearer other' }), '/one/x')
  t.equal(await where('/a/b/x', { 'x-one': '1' }), '/one/b/x', 'where the longer prefix lacks its mark the shorter one holds')
  t.equal(await where('/a/b/x', { 'x-one': '1', 'x-deep': '1' }), '/deep/x')
  t.match(await where('/c/x'), /no_route.*\/c\/ with x-one/)
  t.equal(await where('/c/x', { connection: 'x-one', 'x-one': '1' }), '/other/x')
  t.match(upstream.seen.at(-1)?.headers, { 'x-one': '1' }, 'no Connection field takes away a mark')
  const preflight = await request(`${url}/c/x`, { method: 'OPTIONS', headers: { origin: page, 'access-control-request-method': 'GET', 'access-control-request-headers': 'content-type,x-one' } })
  t.equal(preflight.statusCode, 204, 'a preflight goes where its request will')
})

t.test('a key of Anthropic’s at its OpenAI-compatible paths goes to Anthropic', async t => {
  const [openai, anthropic] = [await company(t), await company(t)]
  const defaults = loadConfig().routes
  const to = (upstream: string): string => upstream.replace('https://api.openai.com', openai.url).replace('https://api.anthropic.com', anthropic.url)
  const { url } = await startSidecar(t, { upstream: openai.url, config: { routes: defaults.map(route => ({ ...route, upstream: to(route.upstream) })) } })
  for (const token of ['sk-ant-api03-a', 'sk-proj-b']) {
    const { statusCode, body } = await request(`${url}/v1/chat/completions`, { method: 'POST', headers: bearer(token), body: '{}' })
    await body.dump()
    t.equal(statusCode, 200)
  }
  t.strictSame([anthropic.seen, openai.seen].map(seen => seen.map(({ headers }) => headers.authorization)), [['Bearer sk-ant-api03-a'], ['Bearer sk-proj-b']])
})

t.test('no company is told another one’s credential, wherever in a request it is', async t => {
  const [chatgpt, openai, anthropic] = [await company(t), await company(t), await company(t)]
  const to = (upstream: string): string => upstream.replace('https://chatgpt.com', chatgpt.url).replace('https://api.openai.com', openai.url).replace('https://api.anthropic.com', anthropic.url)
  const { url } = await startSidecar(t, { upstream: openai.url, config: { routes: loadConfig().routes.map(route => ({ ...route, upstream: to(route.upstream) })) } })
  const ask = async (path: string, headers: Record<string, string>) => {
    const { statusCode, body } = await request(`${url}${path}`, { headers: { ...headers, 'x-kept': 'yes' } })
    return { status: statusCode, text: await body.text() }
  }
  /** What of it the company has got. */
  const told = async (to: typeof openai, path: string, headers: Record<string, string>) => {
    t.equal((await ask(path, headers)).status, 200, path)
    const { rawHeaders = [] } = to.seen.at(-1) ?? {}
    return Object.fromEntries(rawHeaders.flatMap((name, i) => i % 2 === 0 && /key|authorization|kept/i.test(name) ? [[name, rawHeaders[i + 1]]] : []))
  }
  const others = { 'X-Api-Key': 'sk-ant-api03-a', 'api-key': 'azures', 'x-goog-api-key': 'AIzaSy' }
  t.strictSame(await told(openai, '/v1/responses', { ...bearer('sk-proj-a'), ...others }), { authorization: 'Bearer sk-proj-a', 'x-kept': 'yes' })
  t.strictSame(await told(chatgpt, '/backend-api/codex/responses', { ...bearer('at-a'), ...others }), { authorization: 'Bearer at-a', 'x-kept': 'yes' })
  t.strictSame(await told(anthropic, '/v1/chat/completions', { ...bearer('sk-ant-oat01-a'), 'api-key': 'azures' }), { authorization: 'Bearer sk-ant-oat01-a', 'x-kept': 'yes' })
  t.strictSame(await told(anthropic, '/v1/messages', { ...others, ...bearer('sk-proj-a') }), { 'X-Api-Key': 'sk-ant-api03-a', 'x-kept': 'yes' }, 'the other half of a pair')
  t.strictSame(await told(anthropic, '/v1/models', { ...version, ...bearer('gateways'), 'x-api-key': 'sk-svcacct-a' }), { authorization: 'Bearer gateways', 'x-kept': 'yes' })
  t.strictSame(await told(anthropic, '/v1/messages', { ...bearer('one'), 'x-api-key': 'two' }), { authorization: 'Bearer one', 'x-api-key': 'two', 'x-kept': 'yes' }, 'only what is certain')
  const seen = anthropic.seen.length
  t.match(await ask('/v1/messages', { 'x-api-key': 'sk-proj-a' }), { status: 401, text: /wrong_route.*belongs on \/v1\// }, 'one that stands alone is refused')
  t.match(await ask('/v1/models', { ...version, ...bearer('sk-proj-a'), 'x-api-key': 'sk-proj-b' }), { status: 401, text: /does not work on \/v1\/ with anthropic-version; it belongs on \/v1\// })
  t.match(await ask('/v1/responses', { 'x-api-key': 'sk-ant-api03-a' }), { status: 401, text: /has one in x-api-key/ })
  t.equal(anthropic.seen.length, seen)
})

t.test('two fields that differ are one credential, the pair', async t => {
  const upstream = await startUpstream(t, ({ headers }, response) => {
    const dead = headers['x-api-key'] === 'sk-gw-dead'
    json(response, dead ? 401 : 200, dead ? deadKey : {})
  })
  const { url, lines } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_PROBE: 'off' } })
  const ask = async (key: string, authorization: string): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/messages`, { method: 'POST', headers: { 'x-api-key': key, authorization, ...version }, body: '{}' })
    await body.dump()
    return statusCode
  }
  t.equal(await ask('sk-gw-1', 'Bearer sk-ant-oat01-x'), 200)
  t.match(upstream.seen[0]?.headers, { 'x-api-key': 'sk-gw-1', authorization: 'Bearer sk-ant-oat01-x' }, 'both arrive')
  t.equal(await ask('sk-gw-dead', 'Bearer sk-ant-oat01-x'), 401)
  t.equal(await ask('sk-gw-dead', 'Bearer sk-ant-oat01-x'), 401)
  t.equal(upstream.seen.length, 2, 'a dead pair is refused here')
  t.equal(await ask('sk-gw-1', 'Bearer sk-ant-oat01-x'), 200, 'and says nothing about another one')
  t.equal(await ask('sk-gw-1', `Bearer ${expiredJwt()}`), 200, 'nobody knows here which of two counts')
  t.equal(await ask('', 'Bearer sk-ant-oat01-x'), 200, 'an empty one beside one that is none')
  t.equal(await ask('', `Bearer ${expiredJwt()}`), 401, 'beside an empty one it is the only one')
  t.equal(await ask('sk-gw-1', 'Basic eA=='), 200, 'another scheme')
  t.equal(new Set(lines().map(({ token }) => token)).size, 6)
})

t.test('a key in any field that a route names, or none where it needs none', async t => {
  const upstream = await startUpstream(t, ({ headers }, response) => {
    const dead = headers['api-key'] === 'dead'
    json(response, dead ? 401 : 200, dead ? deadKey : {})
  })
  const routes = [{ prefix: '/azure', upstream: upstream.url, credential: ['API-Key'] }, { prefix: '/google', upstream: upstream.url, credential: ['x-goog-api-key', 'authorization'] }, { prefix: '/ollama', upstream: upstream.url, credential: [] }]
  const { url, lines } = await startSidecar(t, { upstream: upstream.url, config: routesFrom(t, routes), lanes: { unverified: 1 } })
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, body } = await request(`${url}${path}`, { headers })
    return { status: statusCode, text: await body.text() }
  }
  t.match(await ask('/azure/x', { 'api-key': 'K y' }), { status: 200 }, 'what it looks like is the upstream’s business')
  t.match(await ask('/azure/x', { 'api-key': 'Dead', connection: 'api-key' }), { status: 200 })
  t.equal(upstream.seen.at(-1)?.headers['api-key'], 'Dead', 'no Connection field takes it away')
  for (let i = 0; i < 3; i++) t.match(await ask('/azure/x', { 'api-key': 'dead' }), { status: 401 })
  t.equal(upstream.seen.length, 3, 'a dead one is refused here')
  for (const value of ['', 'undefined', 'k\xe9y']) t.match(await ask('/azure/x', { 'api-key': value }), { status: 401, text: /malformed_token/ }, value)
  t.match(await ask('/azure/x', bearer('K')), { status: 401, text: /has one in authorization, and this route takes it from api-key/ })
  t.match(await ask('/google/x', { 'x-goog-api-key': 'K' }), { status: 200 })
  t.match(await ask('/google/x', bearer('K')), { status: 200 })
  for (const headers of [{}, bearer('whatever'), bearer('undefined')]) t.match(await ask('/ollama/api/chat', headers), { status: 200 })
  t.match(lines().at(-1), { lane: 'verified', route: '/ollama' }, 'where none is needed none can be bad, so it has no junk’s place')
})

t.test('the key in a subprotocol, where browsers put it', async t => {
  const accept = (key: string): string => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const handshakes: (string | undefined)[] = []
  upstream.server.on('upgrade', ({ headers }: { headers: Record<string, string> }, socket: Duplex) => {
    const { 'sec-websocket-protocol': offered = '' } = headers
    handshakes.push(headers['authorization'] ?? offered)
    const text = JSON.stringify(deadKey)
    if (offered.includes('dead')) socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
    else socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: realtime\r\nSec-WebSocket-Accept: ${accept(String(headers['sec-websocket-key']))}\r\n\r\n`)
  })
  const { port, lines, line } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_PROBE: 'first-use' } })
  const shake = async (...more: string[]) => {
    const client = new RawClient(t, port)
    client.write(`GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more.map(field => `${field}\r\n`).join('')}\r\n`)
    const answer = await client.answer()
    client.socket.destroy()
    return answer
  }
  const realtime = (key: string): string => `Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.${key}`
  t.match(await shake(realtime('sk-CANARY'), 'Content-Length: 0'), { status: 101, headers: { 'sec-websocket-protocol': 'realtime' } })
  t.match(await shake(realtime('ek_CANARY')), { status: 101 })
  t.match(await shake('Authorization: Bearer ek_CANARY', 'Sec-WebSocket-Protocol: realtime'), { status: 101 }, 'a client secret in Node')
  t.equal(upstream.seen.length, 0, 'no probe asks about one that is good for its session only, or can be sent nowhere else')
  for (let i = 0; i < 3; i++) t.match(await shake(realtime('sk-dead')), { status: 401 })
  t.equal(handshakes.length, 4, 'a dead one goes up once')
  t.match(await shake(realtime('undefined')), { status: 401, body: /malformed_token/ })
  t.match(await shake('Sec-WebSocket-Protocol: realtime'), { status: 401, body: /missing_token/ })
  t.match(await shake(realtime('sk-a'), realtime('sk-b')), { status: 101 }, 'whichever counts')
  await line(({ status }) => status === 101)
  t.match(lines().find(({ status }) => status === 401), { token: /^[0-9a-f]{8}$/ })
  t.notMatch(JSON.stringify(lines()), 'CANARY')
})

t.test('a credential is the whole value of its field', async t => {
  const upstream = await startUpstream(t, ({ headers: { authorization = '' } }, response) => {
    const exact = authorization === 'Bearer good' || authorization === 'Bearer tid=abc;exp=1761152758;sku=plus;asn=AS1:1b00'
    json(response, exact ? 200 : 401, exact ? {} : deadKey)
  })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  const ask = async (value: string): Promise<number> => {
    client.write(`GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${value}\r\n\r\n`)
    return (await client.answer()).status
  }
  t.equal(await ask('Bearer good'), 200)
  for (const other of ['bearer good', 'BEARER good', 'Bearer  good', 'Bearer\tgood', 'Bearer good\xa0', '\xa0Bearer good']) {
    await ask(other)
    t.equal(await ask(other), 401, other)
    t.equal(await ask('Bearer good'), 200, `after ${JSON.stringify(other)}`)
  }
  t.equal(await ask('Bearer tid=abc;exp=1761152758;sku=plus;asn=AS1:1b00'), 200, 'what a token looks like is the upstream’s business')
})

t.test('a preflight passes unjudged, as the upstream answers it', async t => {
  const { ask, openai, anthropic, chatgpt, lines } = await companies(t)
  const preflight = (headers: string) => ({ origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': headers })
  for (const path of ['/v1/responses', '/v1/messages', '/backend-api/codex/responses']) {
    t.match(await ask(path, preflight('authorization,content-type'), 'OPTIONS'), { status: 204, headers: { 'access-control-allow-origin': '*' } }, path)
  }
  t.match(await ask('/v1/models', preflight('x-api-key, Anthropic-Version'), 'OPTIONS'), { status: 204 })
  t.strictSame([openai, anthropic, chatgpt].map(({ seen }) => urls(seen)), [['OPTIONS /v1/responses'], ['OPTIONS /v1/messages', 'OPTIONS /v1/models'], ['OPTIONS /backend-api/codex/responses']])
  t.ok(lines().every(({ lane, token }) => lane === 'unverified' && token === undefined))
  for (const [method, headers] of [['OPTIONS', { origin: page }], ['OPTIONS', { 'access-control-request-method': 'POST' }], ['GET', preflight('a')]] as const) {
    t.match(await ask('/v1/responses', headers, method), { status: 401, text: /missing_token/ }, 'only a preflight')
  }
})

t.test('a preflight for one of two routes that a value tells apart goes by the other names', async t => {
  const [openai, anthropic] = [await company(t), await company(t)]
  const to = (upstream: string): string => upstream.replace('https://api.openai.com', openai.url).replace('https://api.anthropic.com', anthropic.url)
  const routes = loadConfig().routes.map(route => ({ ...route, upstream: to(route.upstream) }))
  const only = { ...routes.find(({ marks }) => marks?.[0]?.startsWith('authorization')), prefix: '/only' } as Config['routes'][number]
  const keyless = { ...only, prefix: '/keyless', upstream: `${openai.url}/keyless`, credential: [] }
  const { marks, ...plain } = keyless
  const { url } = await startSidecar(t, { upstream: openai.url, config: { routes: [...routes, only, { ...only, prefix: '/keyless' }, plain] } })
  const where = async (fields: string, path = '/v1/chat/completions') => {
    const { statusCode } = await request(`${url}${path}`, { method: 'OPTIONS', headers: { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': fields } })
    const { length: to } = openai.seen.splice(0)
    return statusCode === 204 ? anthropic.seen.splice(0).length === 1 && to === 0 ? 'Anthropic' : 'OpenAI' : statusCode
  }
  t.equal(await where('authorization,content-type,x-stainless-os'), 'OpenAI')
  t.equal(await where('authorization,openai-organization'), 'OpenAI')
  t.equal(await where('anthropic-dangerous-direct-browser-access,authorization,content-type'), 'Anthropic', 'the OpenAI SDK with a key of Anthropic’s')
  t.equal(await where('authorization, x-api-key'), 'Anthropic')
  t.equal(await where('x-api-key,content-type'), 'Anthropic', 'who alone takes it there')
  t.equal(await where('anthropic-version,x-api-key'), 'Anthropic')
  t.equal(await where('content-type'), 'OpenAI')
  t.equal(await where('authorization', '/only/x'), 'Anthropic', 'there is no other')
  t.equal(await where('x-other', '/only/x'), 404)
  t.equal(await where('x-api-key', '/keyless/x'), 'OpenAI', 'who needs none takes a request without one')
  t.equal(marks?.length, 1)
})

t.test('our own answers can be read by the page that asked, on routes only', async t => {
  const { ask, port, url } = await companies(t)
  const readable = { 'access-control-allow-origin': page, 'access-control-expose-headers': /x-request-id.*Retry-After.*WWW-Authenticate/, vary: 'Origin', 'access-control-allow-credentials': undefined }
  t.match(await ask('/v1/models', { origin: page, ...bearer(expiredJwt()) }), { status: 401, headers: readable, text: /token_expired/ })
  t.match(await ask('/v1/models', { origin: 'null', ...bearer('undefined') }), { status: 401, headers: { 'access-control-allow-origin': 'null' } })
  for (const origin of ['a b', 'x'.repeat(301)]) t.notOk('access-control-allow-origin' in (await ask('/v1/models', { origin, ...bearer('undefined') })).headers)
  t.notOk('access-control-allow-origin' in (await ask('/v1/models', bearer('undefined'))).headers, 'nobody else needs it')
  for (const path of ['/status', '/livez', '/metrics', '/nowhere', '/status/verdicts/12345678']) {
    const { status, headers } = await ask(path, { origin: page })
    t.ok(status >= 400 && !('access-control-allow-origin' in headers), `${path} stays closed`)
  }
  t.equal((await ask('/v1/models', { origin: page, host: 'evil.test', ...bearer('good') })).status, 200)
  const lost = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  const { statusCode, headers, body } = await request(`${lost.url}/v1/models`, { headers: { origin: page, ...bearer('good') } })
  t.match({ statusCode, headers, text: await body.text() }, { statusCode: 502, headers: readable, text: /upstream_unreachable/ })
  t.ok(port > 0 && url !== lost.url)
})

t.test('an upstream’s error that does not come whole can be read too', async t => {
  const { url } = await startUpstream(t, (_request, response) => {
    response.writeHead(401, { 'content-length': '100', 'content-type': 'application/json' }).write('{')
    setImmediate(() => response.destroy())
  })
  const { url: here } = await startSidecar(t, { upstream: url })
  const { statusCode, headers, body } = await request(`${here}/v1/models`, { headers: { origin: page, ...bearer('good') } })
  t.match({ statusCode, headers, text: await body.text() }, { statusCode: 401, headers: { 'access-control-allow-origin': page }, text: /upstream_incomplete/ })
})

t.test('what Chromium asks of loopback is granted where the upstream’s own answer allows the page', async t => {
  const upstream = await startUpstream(t, ({ url = '', method }, response) => {
    const [, status = '', allow = ''] = url.split('/').slice(1)
    response.writeHead(Number(status), { ...allow === '' ? {} : { 'access-control-allow-origin': allow === 'same' ? page : allow === 'any' ? '*' : 'https://other.example' }, ...url.endsWith('/own') ? { 'access-control-allow-private-network': 'false' } : {} })
    response.end(method)
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const granted = async (path: string, more: Record<string, string> = {}, method: 'OPTIONS' | 'GET' = 'OPTIONS') => {
    const { headers, body } = await request(`${url}/v1/${path}`, { method, headers: { origin: page, 'access-control-request-method': 'POST', 'access-control-request-private-network': 'true', ...bearer('good'), ...more } })
    await body.dump()
    return headers['access-control-allow-private-network']
  }
  for (const path of ['200/any', '204/same']) t.equal(await granted(path), 'true', path)
  for (const path of ['200', '200/other', '403/any', '503/same']) t.equal(await granted(path), undefined, path)
  t.equal(await granted('200/any/own'), 'false', 'an upstream that knows of it has the word')
  t.equal(await granted('200/any', { 'access-control-request-private-network': 'x' }), undefined)
  t.equal(await granted('200/any', {}, 'GET'), undefined)
})

t.test('a client that knocks finds somebody, and fills no list', async t => {
  const { url, openai } = await companies(t)
  for (let i = 0; i < 20; i++) {
    for (const path of ['/', '/api/hello', '/api/hello?x=1']) {
      const { statusCode, body } = await request(`${url}${path}`, { method: 'HEAD' })
      t.equal(await body.text(), '')
      t.equal(statusCode, 200)
    }
  }
  t.equal((await request(`${url}/`)).statusCode, 404, 'whoever asks for something is told what there is')
  t.equal((await request(`${url}/api/other`, { method: 'HEAD' })).statusCode, 404)
  const status = await (await request(`${url}/status`)).body.json() as { refusals: { path: string }[] }
  t.strictSame(status.refusals.map(({ path }) => path), ['/api/other', '/'])
  t.equal(openai.seen.length, 0)
})

t.test('2,100 header fields and then the one that matters: read, or 431', async t => {
  const upstream = await startUpstream(t, ({ headers }, response, body) => { json(response, 200, { body: body.toString(), last: headers['x-last'] }) })
  upstream.server.maxHeadersCount = 0
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const filler = (n: number): string => Array.from({ length: n }, (_, i) => `x${i}: y\r\n`).join('')
  const head = (n: number, rest: string): string => `POST /v1/responses HTTP/1.1\r\nHost: localhost\r\n${filler(n)}${rest}`
  const client = new RawClient(t, port)
  client.write(head(2_100, 'Authorization: Bearer good\r\nX-Last: yes\r\nContent-Length: 2\r\n\r\nab'))
  t.match(await client.answer(), { status: 200, body: '{"body":"ab","last":"yes"}' })
  client.write(head(2_100, 'Authorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n'))
  t.match(await client.answer(), { status: 200, body: '{"body":"cd"}' })
  client.write(head(25_000, 'Authorization: Bearer good\r\n\r\n'))
  t.match(await client.answer(), { status: 431 })
  t.equal(upstream.seen.length, 2)
})

t.test('a path that cannot be decoded is refused on record', async t => {
  const { url } = await company(t)
  const { url: here, line, lines } = await startSidecar(t, { upstream: url })
  const { statusCode, headers } = await request(`${here}/v1/files/100%`, { headers: bearer('good') })
  t.equal(statusCode, 400)
  await line(({ status }) => status === 400)
  t.match(lines().at(-1), { reqId: headers['x-request-id'], status: 400, code: 'invalid_request', path: '/v1/files/100%', ending: 'ours' })
  const status = await (await request(`${here}/status`)).body.json() as { refusals: object[] }
  t.match(status.refusals, [{ code: 'invalid_request', path: '/v1/files/100%', method: 'GET' }])
  t.match(await (await request(`${here}/metrics`)).body.text(), /codex_sidecar_requests_total\{route="none",status="400",code="invalid_request"[^}]*\} 1/)
})
