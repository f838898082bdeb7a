import t from 'tap'
import { request } from 'undici'
import { codes, describe } from '../../src/answers/errors.ts'
import { loadConfig } from '../../src/config/config.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, expiredJwt, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream, type Seen } from '../fixtures/upstream.ts'

interface Envelope { type: string, error: { type: string, code: string, message: string, param: null }, request_id: string }

/** Whether a request came with a credential. */
const carriesOne = ({ headers }: Seen): boolean => headers.authorization !== undefined || headers['x-api-key'] !== undefined

/** The default routes with all that holds before the official origins only, before a stand-in for them. */
const asBeforeTheOfficial = (upstream: string) => loadConfig().routes.map(route => ({ ...route, upstream: upstream + new URL(route.upstream).pathname }))

const ok = (t: Parameters<typeof startUpstream>[0]) => startUpstream(t, (_request, response) => { json(response, 200, { ok: true }) })

t.test('an expired JWT gets a clean 401 on a connection that then serves a second request, and nothing goes upstream', async t => {
  const upstream = await ok(t)
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(`POST /backend-api/codex/responses HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${expiredJwt()}\r\nContent-Length: 2\r\n\r\n{}`)
  const { status, headers, body } = await client.answer()
  t.equal(status, 401)
  t.equal(headers['content-type'], 'application/json')
  t.equal(headers['retry-after'], '0')
  t.equal(headers['x-should-retry'], 'false')
  t.equal(headers['cache-control'], 'no-store')
  t.match(headers['www-authenticate'], /^Bearer error="invalid_token", error_description="[^"]+"$/)
  t.equal(headers['proxy-status'], 'codex-sidecar; error=http_request_denied; details="token_expired"')
  t.equal(headers['connection'], 'keep-alive')
  const envelope = JSON.parse(body) as Envelope
  t.strictSame(Object.keys(envelope), ['type', 'error', 'request_id'])
  t.match(envelope, { type: 'error', error: { type: 'authentication_error', code: 'token_expired', param: null }, request_id: headers['x-request-id'] })
  t.match(envelope.error.message, /^Invalid bearer token - it expired at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(3 hours ago\)\. Sign in again/)
  t.equal(upstream.seen.filter(carriesOne).length, 0, 'the upstream saw nothing of it')
  t.match(upstream.seen, [{ method: 'HEAD', url: '/backend-api/' }], 'and was asked for the time once')
  client.write(`GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer good\r\n\r\n`)
  t.equal((await client.answer()).status, 200, 'the same connection serves the next request')
})

t.test('what a bad credential gets', async t => {
  const upstream = await ok(t)
  const { port, url } = await startSidecar(t, { upstream: upstream.url, config: { routes: asBeforeTheOfficial(upstream.url) } })
  const cases: [name: string, path: string, headers: string[], status: number, code: string, message: RegExp][] = [
    ['none', '/v1/models', [], 401, 'missing_token', /^Missing bearer token/],
    ['the word undefined', '/v1/models', ['Authorization: Bearer undefined'], 401, 'malformed_token', /"undefined"/],
    ['the word null', '/v1/models', ['Authorization: bearer null'], 401, 'malformed_token', /"null"/],
    ['an empty one', '/v1/models', ['Authorization: Bearer '], 401, 'malformed_token', /empty/],
    ['the scheme twice', '/v1/models', ['Authorization: Bearer Bearer abc'], 401, 'malformed_token', /twice/],
    ['non-ASCII', '/v1/models', ['Authorization: Bearer t\xf6ken'], 401, 'malformed_token', /non-ASCII/],
    ['a space inside', '/v1/models', ['Authorization: Bearer to ken'], 401, 'malformed_token', /space/],
    ['a tab inside', '/v1/models', ['Authorization: Bearer to\tken'], 401, 'malformed_token', /control/],
    ['a no-break space behind it', '/v1/models', ['Authorization: Bearer token\xa0'], 401, 'malformed_token', /non-ASCII/],
    ['nothing at all in the field', '/v1/models', ['Authorization:'], 401, 'malformed_token', /empty/],
    ['a placeholder without its scheme', '/v1/models', ['Authorization: undefined'], 401, 'malformed_token', /"undefined"/],
    ['an API key in the field of another company', '/v1/models', ['x-api-key: a'], 401, 'missing_token', /has one in x-api-key, and this route takes it from authorization/],
    ['two empty fields', '/v1/messages', ['x-api-key:', 'Authorization: Bearer '], 401, 'malformed_token', /empty/],
    ['an expired JWT', '/v1/models', [`Authorization: Bearer ${expiredJwt(61 * 60)}`], 401, 'token_expired', /1 hour ago/],
    ['a JWT expired for days', '/v1/models', [`Authorization: Bearer ${expiredJwt(3 * 86_400)}`], 401, 'token_expired', /3 days ago/],
    ['a JWT that just expired', '/v1/models', [`Authorization: Bearer ${expiredJwt(90)}`], 401, 'token_expired', /1 minute ago/],
    ['a JWT of tomorrow', '/v1/models', [`Authorization: Bearer ${jwt({ nbf: at(86_400) })}`], 401, 'token_not_yet_valid', /clock/],
    ['an API key on the ChatGPT route', '/backend-api/codex/responses', ['Authorization: Bearer sk-abc'], 401, 'wrong_route', /belongs on \/v1\//],
    ['an Anthropic key on the ChatGPT route', '/backend-api/codex/responses', ['Authorization: Bearer sk-ant-abc'], 401, 'wrong_route', /belongs on \/v1\/messages/],
    ['two Authorization fields', '/v1/models', ['Authorization: Bearer a', 'authorization: Bearer b'], 400, 'invalid_request', /2 times/],
    ['an empty x-api-key', '/v1/messages', ['x-api-key: '], 401, 'malformed_token', /empty/],
    ['an unknown path', '/v2/models', ['Authorization: Bearer a'], 404, 'no_route', /\/backend-api\/, \/v1\/messages\/, \/v1\/, \/v1\/ with anthropic-version, .* Correct the base URL/],
    ['a prefix that stands twice', '/v1/v1/models', ['Authorization: Bearer a'], 404, 'no_route', /and this path has \/v1 twice/],
    ['a prefix that stands twice, for Anthropic', '/v1/v1/messages', ['x-api-key: a', 'anthropic-version: 2023-06-01'], 404, 'no_route', /and this path has \/v1 twice/],
    ['dot segments', '/v1/../backend-api/x', ['Authorization: Bearer a'], 400, 'invalid_request', /dot segments/],
    ['encoded dot segments', '/v1/%2e%2e%2fx', ['Authorization: Bearer a'], 400, 'invalid_request', /dot segments/],
    ['a backslash', '/v1/a\\b', ['Authorization: Bearer a'], 400, 'invalid_request', /backslash/],
    ['a prefix that is there only once decoded', '/%761/models', ['Authorization: Bearer a'], 400, 'invalid_request', /encoded prefix/],
    ['a bad escape', '/v1/%zz', ['Authorization: Bearer a'], 400, 'invalid_request', /./],
    ['a transfer coding besides chunked', '/v1/responses', ['Authorization: Bearer a', 'Transfer-Encoding: gzip, chunked'], 501, 'unsupported_transfer_coding', /gzip/],
    ['an expectation besides 100-continue', '/v1/responses', ['Authorization: Bearer a', 'Expect: miracles'], 417, 'expectation_failed', /miracles/],
    ['two Host fields', '/v1/responses', ['Host: other', 'Authorization: Bearer a'], 400, 'invalid_request', /Host/]
  ]
  for (const [name, path, headers, status, code, message] of cases) {
    await t.test(name, async t => {
      const client = new RawClient(t, port)
      client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers.map(h => `${h}\r\n`).join('')}\r\n`)
      const answer = await client.answer()
      const { error } = JSON.parse(answer.body) as Envelope
      t.equal(answer.status, status)
      t.equal(error.code, code)
      t.match(error.message, message)
      t.equal(answer.headers['content-type'], 'application/json')
      if (status === 401) {
        t.equal(answer.headers['retry-after'], '0')
        t.equal(answer.headers['x-should-retry'], 'false')
        t.notMatch(error.message, /rate limit|overloaded|service unavailable|upstream connect|connection refused/i, 'no word that makes pi-ai retry')
      }
      t.equal(code === 'missing_token', answer.headers['www-authenticate'] === 'Bearer', 'a bare challenge where nothing was sent')
    })
  }
  t.strictSame(upstream.seen.filter(carriesOne), [], 'the upstream saw none of them')
  const head = await request(`${url}/v1/models`, { method: 'HEAD' })
  t.equal(head.statusCode, 401, 'HEAD too')
  t.equal(await head.body.text(), '')
})

t.test('what Node answers by itself comes in the same shape', async t => {
  const { url } = await ok(t)
  const { port, line } = await startSidecar(t, { upstream: url })
  const big = 'x'.repeat(140_000)
  const cases: [name: string, bytes: string, status: number, code: string][] = [
    ['a bad request line', 'GARBAGE\r\n\r\n', 400, 'invalid_request'],
    ['no Host', 'GET /v1/models HTTP/1.1\r\nAuthorization: Bearer a\r\n\r\n', 400, 'invalid_request'],
    ['headers over 128 KB', `GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Big: ${big}\r\n\r\n`, 431, 'headers_too_large'],
    ['a control character in the token', 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\x01b\r\n\r\n', 401, 'malformed_token'],
    ['a control character in the last line so far', 'GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Api-Key: a\x01b', 401, 'malformed_token'],
    ['a control character elsewhere', 'GET /v1/models HTTP/1.1\r\nHost: a\r\nX-A: a\x01b\r\n\r\n', 400, 'invalid_request'],
    ['Content-Length and Transfer-Encoding', 'POST /v1/models HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'invalid_request'],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 400, 'invalid_request']
  ]
  for (const [name, bytes, status, code] of cases) {
    await t.test(name, async t => {
      const client = new RawClient(t, port)
      client.write(bytes)
      const answer = await client.answer()
      const { error, request_id } = JSON.parse(answer.body) as Envelope
      t.equal(answer.status, status)
      t.equal(error.code, code)
      t.equal(answer.headers['x-request-id'], request_id)
      await line(({ reqId }) => reqId === request_id)
    })
  }
  await t.test('a head that never ends', async t => {
    const { port } = await startSidecar(t, { upstream: url, times: { requestHead: 50 } })
    const client = new RawClient(t, port)
    client.write('GET /v1/models HTTP/1.1\r\nHost: a\r\n')
    const { status, body } = await client.answer()
    t.equal(status, 408)
    t.equal((JSON.parse(body) as Envelope).error.code, 'request_timeout')
  })
})

t.test('what is not certainly bad is forwarded', async t => {
  const upstream = await ok(t)
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const shape = `${Buffer.from('{"alg":"none"}').toString('base64url')}.bm90IGpzb24.c2ln`
  const cases: [name: string, path: string, headers: Record<string, string>][] = [
    ['an opaque token', '/v1/models', bearer('opaque-token')],
    ['what looks like a JWT and does not decode', '/v1/models', bearer(shape)],
    ['a JWT within the skew of its end', '/v1/models', bearer(jwt({ exp: at(-30) }))],
    ['a JWT within the skew of its beginning', '/v1/models', bearer(jwt({ nbf: at(30) }))],
    ['a JWT with an exp that is no number', '/v1/models', bearer(jwt({ exp: 'soon' }))],
    ['a JWT with an exp that can be no time: before 2000', '/v1/models', bearer(jwt({ exp: 1 }))],
    ['a JWT with an exp that can be no time: beyond all dates', '/v1/models', bearer(jwt({ exp: -9e15 }))],
    ['a JWT with an nbf in ms', '/v1/models', bearer(jwt({ nbf: Date.now() }))],
    ['a JWT of another account than the header names', '/backend-api/x', { ...bearer(jwt({}, 'a')), 'chatgpt-account-id': 'org-b' }],
    ['an API key before an upstream of one’s own', '/backend-api/x', bearer('sk-clb-abc')],
    ['an Anthropic key before an upstream of one’s own', '/v1/chat/completions', bearer('sk-ant-abc')],
    ['a personal access token', '/backend-api/x', bearer('at-123')],
    ['another scheme', '/backend-api/x', { authorization: 'AgentAssertion abc' }],
    ['x-api-key', '/v1/messages', { 'x-api-key': 'sk-ant-api03-x' }],
    ['an Anthropic OAuth token', '/v1/messages', bearer('sk-ant-oat01-x')],
    ['both fields with one value', '/v1/messages', { 'x-api-key': 'same', ...bearer('same') }]
  ]
  for (const [name, path, headers] of cases) {
    const { statusCode, body } = await request(`${url}${path}`, { headers })
    await body.dump()
    t.equal(statusCode, 200, name)
  }
  t.equal(upstream.seen.length, cases.length)
})

t.test('of a JWT no more is decoded than a bound, and what is beyond it is the upstream’s business', async t => {
  const { url, seen } = await startUpstream(t, (_request, response) => { response.end('served') })
  const { url: own } = await startSidecar(t, { upstream: url, clock: { monotonic: () => 1, wall: () => Date.now() } })
  const expired = (more: Record<string, unknown>): string => jwt({ exp: at(-10_800), ...more })
  const nested = (levels: number): string => {
    const claims = `{"exp":${at(-10_800)},"deep":${'['.repeat(levels)}${']'.repeat(levels)}}`
    return expired({}).split('.').with(1, Buffer.from(claims).toString('base64url')).join('.')
  }
  const statusOf = async (token: string): Promise<number> => {
    const { statusCode, body } = await request(`${own}/v1/models`, { headers: bearer(token) })
    await body.dump()
    return statusCode
  }
  t.equal(await statusOf(expired({ groups: 'g'.repeat(11_000) })), 401, 'within the bounds')
  t.equal(await statusOf(nested(60)), 401, 'within the bounds')
  t.equal(await statusOf(expired({ groups: '[{"\\'.repeat(500) })), 401, 'brackets in a text are no levels')
  const [header, payload = ''] = expired({}).split('.')
  const unpaddable = `${header}.${payload}${'A'.repeat((5 - payload.length % 4) % 4)}.x` // no base64 has this length
  const beyond = [expired({ groups: 'g'.repeat(13_000) }), nested(100), nested(44_000), unpaddable, `AAAA.${payload}.x`]
  for (const token of beyond) t.equal(await statusOf(token), 200, `${token.length} characters`)
  t.strictSame(seen.filter(({ headers }) => headers.authorization !== undefined).map(({ headers }) => headers.authorization), beyond.map(token => `Bearer ${token}`))
})

t.test('no answer says what OpenClaw takes for a secret and hides with all that follows', t => {
  // Its patterns for credentials in the words of a provider's error, as of 2026.9.6.
  const hidden = /\b(?:Bearer|Basic)\s+[\w+/.~=-]{8,}|\b(?:api[_.-]?key|authorization|passphrase|passwd|password|private[_.-]?key|secret|signing[_.-]?key|token|cookie)\s*:/iu
  for (const { code } of codes) t.notMatch(describe(code, 'some detail'), hidden, code)
  t.end()
})

t.test('a dead opaque token: 100 requests, of which the upstream sees one', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 401, deadKey) })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const messages = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const { statusCode, body } = await request(`${url}/v1/responses`, { method: 'POST', body: '{}', headers: bearer('sk-dead') })
    t.equal(statusCode, 401)
    messages.add(((await body.json()) as Envelope).error.message)
  }
  t.equal(upstream.seen.length, 1)
  t.strictSame([...messages], [
    deadKey.error.message,
    'Invalid API key - the upstream rejected it (it knows no such API key: "Incorrect API key provided"). Sign in again or replace the key, then retry; nothing needs a restart.'
  ], 'the upstream’s own words first, then ours')
})

t.test('a verdict on one route says nothing about another, nor about another token', async t => {
  const upstream = await startUpstream(t, ({ url, headers }, response) => {
    const dead = url?.startsWith('/v1/') === true && headers.authorization === 'Bearer at-one'
    json(response, dead ? 401 : 200, dead ? deadKey : { ok: true })
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const status = async (path: string, token: string): Promise<number> => {
    const { statusCode, body } = await request(url + path, { headers: bearer(token) })
    await body.dump()
    return statusCode
  }
  t.equal(await status('/v1/models', 'at-one'), 401)
  t.equal(await status('/v1/models', 'at-one'), 401)
  t.equal(await status('/backend-api/models', 'at-one'), 200)
  t.equal(await status('/v1/models', 'at-two'), 200)
  t.equal(upstream.seen.length, 3)
})

t.test('a token that is good in one field is not refused there for being bad in another', async t => {
  const upstream = await startUpstream(t, ({ headers }, response) => {
    const wrong = headers['x-api-key'] !== undefined
    json(response, wrong ? 401 : 200, wrong ? { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } } : {})
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const statuses: number[] = []
  for (const headers of [bearer('sk-ant-oat01'), { 'x-api-key': 'sk-ant-oat01' }, bearer('sk-ant-oat01'), { 'x-api-key': 'sk-ant-oat01' }]) {
    const { statusCode, body } = await request(`${url}/v1/messages`, { headers })
    await body.dump()
    statuses.push(statusCode)
  }
  t.strictSame(statuses, [200, 401, 200, 401])
  t.equal(upstream.seen.length, 3)
})

t.test('another scheme is never remembered', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 401, deadKey) })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  for (let i = 0; i < 3; i++) await (await request(`${url}/v1/models`, { headers: { authorization: 'AgentAssertion abc' } })).body.dump()
  t.equal(upstream.seen.length, 3)
})
