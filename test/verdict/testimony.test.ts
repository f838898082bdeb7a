import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { request } from 'undici'
import { aboutIn, ofThis } from '../../src/verdict/testimony/about.ts'
import { overlapWith } from '../../src/verdict/testimony/overlap.ts'
import { quoteOf, safeWords } from '../../src/verdict/testimony/quote.ts'
import { rows } from '../../src/verdict/testimony/rows.ts'
import { saidIn } from '../../src/verdict/testimony/said.ts'
import { testimonyInBand, testimonyOf } from '../../src/verdict/testimony/testimony.ts'
import { credentialOf } from '../fixtures/judging.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, jwt } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

type Dialect = keyof typeof rows

/** How far a 401 with this body reaches. */
function reachOf (dialect: Dialect, body: unknown, headers: readonly string[] = []): string {
  const bytes = Buffer.isBuffer(body) || body === undefined ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const testimony = testimonyOf({ dialect }, 'upstream', { status: 401, headers, body: bytes })
  return testimony.kind === 'rejected' ? testimony.reach : testimony.kind
}

const openai = (code: string | null, message = 'some words', type = 'invalid_request_error') => ({ error: { message, type, param: null, code } })
const anthropic = (message: string, type = 'authentication_error') => ({ type: 'error', error: { type, message } })

t.test('what the known upstreams say with 401, row by row', async t => {
  const cases: [dialect: Dialect, body: unknown, reach: string, where: string][] = [
    ['openai', openai('token_expired'), 'token', 'contract.md'],
    ['openai', openai('token_invalidated'), 'token', 'contract.md'],
    ['openai', openai('token_revoked'), 'token', 'contract.md'],
    ['openai', openai('invalid_api_key', 'Incorrect API key provided'), 'token', 'contract.md'],
    ['openai', openai('account_deactivated', '… check your email …'), 'token', 'A10'],
    ['openai', openai(null, 'Incorrect API key provided: sk-abc'), 'token', 'a gateway without codes'],
    ['openai', { detail: { code: 'token_expired', message: 'x' } }, 'token', 'detail as an object'],
    ['openai', { code: 'token_revoked' }, 'token', 'a code at the top'],
    ['openai', openai('invalid_api_key', 'You have insufficient permissions for this operation. Missing scopes: api.model.read.'), 'silent', 'A2, whatever the code'],
    ['openai', openai('mismatched_organization'), 'silent', 'A3'],
    ['openai', openai('mismatched_project'), 'silent', 'a reason in no row'],
    ['openai', openai(null, 'Missing bearer or basic authentication in header'), 'silent', 'contract.md'],
    ['openai', openai(null, 'You must be a member of an organization to use the API'), 'silent', 'a reason in no row'],
    ['openai', anthropic('Invalid bearer token'), 'token', 'contract.md'],
    ['openai', anthropic('something else'), 'silent', 'a type alone is no dead-token word'],
    ['openai', anthropic('Invalid authentication credentials'), 'request', 'field.md A'],
    ['openai', { detail: 'Unauthorized' }, 'request', 'openai/codex#41973'],
    ['openai', { message: 'Unauthorized' }, 'request', 'no reason'],
    ['openai', { error: 'unauthorized' }, 'request', 'no reason'],
    ['openai', {}, 'request', 'no reason'],
    ['openai', [], 'request', 'no reason'],
    ['openai', 'null', 'request', 'no reason'],
    ['openai', '', 'request', 'empty'],
    ['openai', '<html><h1>401 Authorization Required</h1></html>', 'request', 'HTML'],
    ['openai', '<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n<center><h1>401 Authorization Required</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n', 'request', 'nginx'],
    ['openai', '401: Unauthorized', 'request', 'plain text'],
    ['openai', { status: 401, error: 'Unauthorized', message: null, success: false, errors: [], request_id: 'req_1', timestamp: 1 }, 'request', 'no reason'],
    ['openai', '\ufeff{"detail":"Unauthorized"}', 'request', 'behind a byte order mark'],
    ['openai', '\ufeff{"error":{"code":"token_revoked"}}', 'token', 'behind a byte order mark'],
    ['openai', '\ufeff{"error":{"code":"mismatched_organization","message":"x"}}', 'silent', 'behind a byte order mark'],
    ['openai', undefined, 'silent', 'cut short: it may give a reason'],
    ['openai', Buffer.alloc(70_000, 0x20), 'silent', 'longer than is read'],
    ['openai', 'Your organization must be verified to use model bad', 'silent', 'a reason in plain text'],
    ['openai', '<h1>401 Authorization Required</h1><p>Ask for access to this model</p>', 'silent', 'a reason in a page'],
    ['openai', '<!-- model not allowed -->', 'silent', 'a comment may be one'],
    ['openai', { success: false, errors: [{ code: 10000, message: 'Model bad not allowed for this token' }] }, 'silent', 'Cloudflare'],
    ['openai', [{ error: { code: 401, message: 'Model not allowed', status: 'UNAUTHENTICATED' } }], 'silent', 'Gemini'],
    ['openai', { detail: [{ msg: 'model bad not permitted', type: 'x' }] }, 'silent', 'FastAPI'],
    ['openai', { type: 'urn:scope', title: 'Model bad needs scope m.b', status: 401 }, 'silent', 'RFC 9457'],
    ['openai', { msg: 'model bad needs another plan' }, 'silent', 'a reason in an unknown place'],
    ['openai', { error: 'unauthorized', hint: null }, 'silent', 'a place that nobody knows'],
    ['openai', { error: { message: 'Invalid authentication credentials', code: 'model_not_allowed' } }, 'silent', 'a reason beside'],
    ['openai', { error: 'invalid_token', error_description: 'The token has the wrong audience' }, 'silent', 'a reason in no row'],
    ['openai', { error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.' } }, 'silent', 'Azure'],
    ['openai', { statusCode: 401, message: 'Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired.' }, 'silent', 'Azure'],
    ['openai', { error: { message: 'Authentication Error, Invalid proxy server token passed. Received API Key = sk-...1234, Unable to find token in cache or `LiteLLM_VerificationTokenTable`', type: 'token_not_found_in_db', param: 'key', code: '401' } }, 'silent', 'LiteLLM'],
    ['openai', { error: { message: 'litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: sk-ba***nd.', type: null, param: null, code: '401' } }, 'silent', 'LiteLLM, of its own key'],
    ['openai', { error: { code: 401, message: 'API key not valid. Please pass a valid API key.', status: 'UNAUTHENTICATED' } }, 'silent', 'Gemini'],
    ['openai', { error: { message: 'No auth credentials found', code: 401 } }, 'silent', 'OpenRouter'],
    ['openai', { success: false, error: [{ code: 2009, message: 'Unauthorized' }] }, 'silent', 'Cloudflare AI Gateway: its code is one'],
    ['openai', openai('invalid_organization', 'No such organization: org-x.'), 'silent', 'a reason in no row'],
    ['openai', openai('ip_not_authorized', 'Your IP is not authorized'), 'silent', 'a reason in no row'],
    ['anthropic', anthropic('invalid x-api-key'), 'token', 'field.md A'],
    ['anthropic', anthropic('OAuth token has expired. Please obtain a new token or refresh your existing token.'), 'token', 'field.md A'],
    ['anthropic', anthropic('OAuth token has been revoked. Please obtain a new token.'), 'token', 'claude-code'],
    ['anthropic', anthropic('Invalid bearer token'), 'token', 'contract.md'],
    ['anthropic', anthropic('Invalid authentication credentials'), 'request', 'llxprt-code#2035'],
    ['anthropic', anthropic('OAuth authentication is currently not supported.'), 'silent', 'A1'],
    ['anthropic', anthropic('OAuth authentication is currently not allowed for this organization.'), 'silent', 'claude-code#6752'],
    ['anthropic', anthropic('CORS requests must set \'anthropic-dangerous-direct-browser-access\' header'), 'silent', 'H1'],
    ['anthropic', anthropic('x-api-key header is required'), 'silent', 'a reason in no row']
  ]
  for (const [dialect, body, reach, where] of cases) t.equal(reachOf(dialect, body), reach, `${dialect}: ${JSON.stringify(body)} (${where})`)
  for (const dialect of ['openai', 'anthropic'] as const) for (const row of rows[dialect]) t.ok(row.source.length > 0 && (row.code ?? row.message) !== undefined, row.words)
})

t.test('a reason may stand in the header of a refusal', async t => {
  const cases: [name: string, value: string, reach: string][] = [
    ['WWW-Authenticate', 'Bearer', 'request'],
    ['WWW-Authenticate', 'Bearer realm="error"', 'request'],
    ['WWW-Authenticate', 'Bearer realm="a", error="invalid_token", resource_metadata="https://a/b?error=c"', 'request'],
    ['WWW-Authenticate', 'Bearer error=invalid_token', 'request'],
    ['WWW-Authenticate', 'Bearer error="invalid_token", error_description="The token has no access to this model"', 'silent'],
    ['WWW-Authenticate', 'Bearer realm="x", scope="m.b"', 'silent'],
    ['WWW-Authenticate', 'DPoP algs="ES256"', 'silent'],
    ['WWW-Authenticate', 'Bearer realm="a",error="insufficient_scope", scope="models"', 'silent'],
    ['WWW-Authenticate', 'DPoP error="use_dpop_nonce", error_description="Resource server requires nonce"', 'silent'],
    ['www-authenticate', 'Bearer error = insufficient_user_authentication', 'silent'],
    ['X-OpenAI-Authorization-Error', 'missing_workspace', 'silent'],
    ['x-error-json', 'eyJlcnJvciI6e319', 'silent']
  ]
  for (const [name, value, reach] of cases) for (const body of ['', { detail: 'Unauthorized' }]) t.equal(reachOf('openai', body, [name, value]), reach, `${name}: ${value}`)
  t.equal(reachOf('openai', openai('invalid_api_key'), ['WWW-Authenticate', 'Bearer error="insufficient_scope"']), 'token', 'but dead-token words are such')
})

t.test('dead-token words count against the credential that they are about', async t => {
  const reach = (token: string, body: unknown): string => {
    const testimony = ofThis(testimonyOf({ dialect: 'openai' }, 'upstream', { status: 401, headers: [], body: Buffer.from(JSON.stringify(body)) }), credentialOf(token))
    return testimony.kind === 'rejected' ? testimony.reach : testimony.kind
  }
  const named = (key: string) => openai('invalid_api_key', `Incorrect API key provided: ${key}. You can find your API key at https://platform.openai.com/account/api-keys.`)
  for (const key of ['sk-proj-************WxYz', 'sk-p***xYz', 'sk-proj-abcdWxYz', 'sk-proj-abcdWxYz'.slice(0, 9), 'sk-...WxYz', 'sk-pr…', 'sk-p••••WxYz', 'sk-[redacted]', '"sk-proj-abcdWxYz"', '***', '****WxYz']) t.equal(reach('sk-proj-abcdWxYz', named(key)), 'token', key)
  for (const key of ['sk-proj-************other', 'sk-q***WxYz', 'gsk-***WxYz', 'sk-po...ol12', 'sk-pool-9f8e7d', 'sk-po••••ol12', 'sk-po[redacted]', 'sk-po<hidden>', 'another-key', '(gsk-a)']) t.equal(reach('sk-proj-abcdWxYz', named(key)), 'request', `${key}: a gateway’s own`)
  const names = (message: string) => aboutIn({ code: '', type: '', message }).names
  t.strictSame(names('No such key: sk-abc*** and ****WxYz'), [{ begins: 'sk-abc', ends: '' }, { begins: '', ends: 'WxYz' }])
  t.strictSame(names('provided: sk-abc...'), [{ begins: 'sk-abc', ends: '' }])
  t.strictSame(aboutIn(undefined), { names: [], login: false })
  for (const code of ['token_expired', 'token_invalidated', 'token_revoked']) {
    t.strictSame([reach(jwt(), openai(code)), reach('at-1', openai(code)), reach('sk-ant-oat01-x', openai(code)), reach('sk-1', openai(code))], ['token', 'token', 'token', 'request'], `${code}: no API key is a login`)
  }
  t.strictSame([reach('a', { detail: 'Unauthorized' }), reach('a', openai('mismatched_project'))], ['request', 'silent'])
  t.equal(reach('sk-proj-abcdWxYz', openai('invalid_api_key', 'This key (sk-pool-1) was revoked')), 'request')
  const inBand = testimonyInBand({ dialect: 'openai' }, { type: 'error', error: { code: 'token_expired', message: 'x' } })
  t.strictSame([ofThis(inBand, credentialOf('at-1')).kind, ofThis(inBand, credentialOf('sk-1')).kind], ['rejected', 'silent'], 'in band, too')
})

t.test('a coded body is read, within its bound', async t => {
  const dead = Buffer.from(JSON.stringify(openai('invalid_api_key')))
  for (const [coding, bytes] of [['gzip', gzipSync(dead)], ['deflate', deflateSync(dead)], ['br', brotliCompressSync(dead)], ['identity', dead]] as const) {
    t.equal(reachOf('openai', bytes, ['Content-Encoding', coding]), 'token', coding)
  }
  t.equal(reachOf('openai', dead, ['Content-Encoding', 'rot13']), 'silent', 'what can not be read may give a reason')
  t.equal(reachOf('openai', '', ['Content-Encoding', 'rot13']), 'request', 'but for nothing')
  t.equal(reachOf('openai', gzipSync(Buffer.from('['.repeat(1 << 20))), ['Content-Encoding', 'gzip']), 'silent', 'a megabyte in a kilobyte is not unpacked')
})

t.test('of a body no more levels are built than errors have', async t => {
  const deep = (levels: number): string => JSON.stringify({ ...openai('invalid_api_key'), rest: 'REST' }).replace('"REST"', '['.repeat(levels) + ']'.repeat(levels))
  t.equal(reachOf('openai', deep(60)), 'token')
  t.equal(reachOf('openai', deep(30_000)), 'silent', 'it counts against nothing')
  t.equal(reachOf('openai', gzipSync(Buffer.from(deep(30_000))), ['Content-Encoding', 'gzip']), 'silent')
  t.equal(reachOf('openai', JSON.stringify({ ...openai('invalid_api_key'), rest: '["\\'.repeat(100) })), 'token', 'brackets in a text are no levels')
  t.equal(reachOf('openai', '["invalid_api_key"]'), 'silent', 'a list has no code')
})

t.test('no other answer says anything bad, and a 101 nothing good', async t => {
  const body = Buffer.from(JSON.stringify(openai('invalid_api_key')))
  const kindOf = (status: number): string => testimonyOf({ dialect: 'openai' }, 'upstream', { status, headers: [], body }).kind
  for (const status of [302, 400, 403, 404, 407, 429, 500, 503]) t.equal(kindOf(status), 'silent', String(status))
  t.strictSame([kindOf(101), kindOf(200), kindOf(204)], ['pending', 'accepted', 'accepted'])
})

t.test('an error in band counts only with dead-token words', async t => {
  const kindOf = (event: unknown): string => testimonyInBand({ dialect: 'openai' }, event).kind
  t.equal(kindOf({ type: 'error', error: { code: 'invalid_api_key', message: 'x' } }), 'rejected')
  t.equal(kindOf({ type: 'error', code: 'token_revoked', message: 'x' }), 'rejected')
  t.equal(kindOf({ type: 'response.failed', response: { error: { code: 'token_expired' } } }), 'rejected')
  for (const event of [{ type: 'error' }, { type: 'error', error: { code: 'rate_limit_exceeded' } }, { type: 'response.failed', response: { error: null } }]) t.equal(kindOf(event), 'silent')
  t.equal(kindOf({ error: { code: 'invalid_api_key', message: 'x' } }), 'rejected', 'of a chat')
  for (const type of ['response.mcp_call.failed', 'conversation.item.input_audio_transcription.failed', 'tool.result', 1]) t.equal(kindOf({ type, code: 'token_expired', error: { code: 'invalid_api_key', message: 'x' } }), 'silent', `an error of another kind: ${type}`)
})

t.test('words of an upstream are said again without anything like a secret, on one line, bounded', async t => {
  const kept = [
    'Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.',
    'Your authentication token has been invalidated. Please try signing in again.',
    'Your account was deactivated, please check your email for more information'
  ]
  for (const words of kept) t.equal(safeWords(words), words)
  for (const words of ['Provided authentication token is invalid.', 'Your API key is disabled, ask its owner', 'Bearer token is expired']) t.equal(safeWords(words), words, 'a plain word is no secret')
  for (const secret of ['sk-proj-abc123DEF', 'sk-ant-oat01-x', 'eyJhbGciOiJSUzI1NiJ9.eyJ4Ijox.c2ln', 'ek_68af', 'aB3dE5fG7hI9jK1lM3nO5pQ7', 'A'.repeat(48)]) {
    t.notMatch(safeWords(`Incorrect API key provided: ${secret}. Try again`), secret, secret)
  }
  for (const words of ['token: hunter2', 'password=hunter2', 'https://a:hunter2@b/c', 'see https://a/b?key=hunter2', 'the key is hunter2']) t.notMatch(safeWords(words), /hunter2/, words)
  t.equal(safeWords('Incorrect API key provided: sk-proj-abc. Try eyJhbGci.'), 'Incorrect API key provided: ***. Try ***.', 'the full stop is no part of it')
  t.equal(safeWords('a\r\nb\u0000c\u001b[31md'), 'a b c [31md')
  t.equal(safeWords('word '.repeat(200)).length, 300)
  t.notMatch(safeWords('Invalid token: it has expired'), /token\s*:/, 'OpenClaw would hide the rest')
})

t.test('nothing that shares a part with the token is said again, however it is written', t => {
  const token = 'corp-Hunter2Pass-9Qz7Wx'
  const each = (between: string): string => token.split('').join(between)
  const repeats = overlapWith(token)
  const written = [
    token, token.slice(0, 16) + '...', '...' + token.slice(6), token.toUpperCase(), each(' '), each('\u200b'), token.replace(/-/g, '%2D'), token.replace(/-/g, '&#45;'), token.replace(/-/g, '&#x2d;'),
    token.replace(/-/g, '\\u002d'), token.replace(/-/g, ' - '), token.replace(/-/g, '/'), token.replace(/-/g, ','), Buffer.from(JSON.stringify({ got: token })).toString('base64')
  ]
  for (const words of written) t.ok(repeats(`Unknown credential ${words} here`.slice(words.startsWith('ey') ? 19 : 0)), words)
  for (const words of ['', 'Your account was deactivated, check your email', 'corp-Hun', '&#9999999;']) t.notOk(repeats(words), words)
  t.ok(overlapWith('sk-1')('It was sk-1'), 'a short one as it stands')
  t.ok(overlapWith('x'.repeat(20_000))('a'), 'of one that is too long to compare nothing is')
  t.end()
})

t.test('a quote holds words, the name of the request, and the fields that tell more', async t => {
  const said = saidIn(openai('invalid_api_key', 'He said "no"'))
  t.strictSame(quoteOf(['X-Request-Id', 'req_1', 'CF-Ray', '8a-AMS', 'x-error-json', 'eyJ', 'Server', 'x', 'x-openai-authorization-error', 'y'.repeat(3_000)], said),
    { words: '"He said \'no\'", request id req_1', fields: ['CF-Ray', '8a-AMS', 'x-error-json', 'eyJ'] })
  t.equal(quoteOf([], saidIn({})), undefined)
  t.strictSame(quoteOf(['x-request-id', 'a b<>'], undefined), undefined, 'a name that is none')
  t.strictSame(quoteOf([], saidIn({ message: 'Rate limit reached' })), undefined, 'pi-ai would try these again')
  t.strictSame(quoteOf(['cf-ray', '1-A'], undefined), { words: 'request id 1-A', fields: ['cf-ray', '1-A'] })
})

t.test('our refusals say what the upstream said, and name what was sent', async t => {
  const answers: Record<string, [body: unknown, headers: Record<string, string>]> = {
    '/v1/responses': [openai('account_deactivated', 'Your account was deactivated, check your email. It was secret-opaque-1'), { 'x-request-id': 'req_1', 'cf-ray': '8a-AMS', 'x-openai-authorization-error': 'deactivated', 'x-error-json': 'e30=' }],
    '/v1/messages': [anthropic('invalid x-api-key'), { 'request-id': 'req_2' }]
  }
  const upstream = await startUpstream(t, ({ url = '' }, response) => { json(response, 401, ...answers[url] as [unknown, Record<string, string>]) })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const refused = async (path: string, headers: Record<string, string>) => {
    let last: { message: string, headers: Record<string, unknown> } | undefined
    for (let i = 0; i < 2; i++) {
      const answer = await request(url + path, { method: 'POST', headers, body: '{}' })
      last = { message: (await answer.body.json() as { error: { message: string } }).error.message, headers: answer.headers }
    }
    return last
  }
  const before = upstream.seen.length
  t.match(await refused('/v1/responses', bearer('sk-abc')), {
    message: 'Invalid API key - the upstream rejected it (its account was deactivated: "Your account was deactivated, check your email. It was secret-opaque-1", request id req_1). Sign in again or replace the key, then retry; nothing needs a restart.',
    headers: { 'cf-ray': '8a-AMS', 'x-openai-authorization-error': 'deactivated', 'x-error-json': 'e30=', 'proxy-status': /token_rejected/ }
  })
  t.equal(upstream.seen.length, before + 1)
  t.notMatch((await refused('/v1/responses', bearer('secret-opaque-1')))?.message, /secret-opaque-1/, 'the token itself is not said again')
  const echo = 'corp-Hunter2Pass-9Qz7Wx'
  answers['/v1/responses/echo'] = [openai('invalid_api_key', `Unknown credential ${echo.slice(0, 16)}...`), { 'x-openai-authorization-error': `bad ${echo}`, 'x-error-json': Buffer.from(JSON.stringify({ got: echo })).toString('base64'), 'x-oai-request-id': echo.slice(0, 18), 'cf-ray': '8a-AMS' }]
  const { message = '', headers = {} } = await refused('/v1/responses/echo', bearer(echo)) ?? {}
  t.notMatch(message + JSON.stringify(headers), /Hunter2|aHVudGVy|SHVudGVyM/, 'nor a part of it, nor in a field')
  t.equal(headers['cf-ray'], '8a-AMS', 'others stay')
  answers['/v1/messages/pair'] = [anthropic('invalid x-api-key half-opaque-1, nor half-opaque-2'), {}]
  t.notMatch((await refused('/v1/messages/pair', { 'x-api-key': 'half-opaque-1', ...bearer('half-opaque-2') }))?.message, /half-opaque/, 'nor is a half of a pair')
  t.match((await refused('/v1/messages', { 'x-api-key': 'sk-ant-api03-x' }))?.message, /^invalid x-api-key - the upstream rejected it \(it knows no such API key: "invalid x-api-key", request id req_2\)/, 'Claude Code has a hint for it')
  t.match((await refused('/v1/messages', bearer('sk-ant-oat01-x')))?.message, /^Invalid bearer token - /)
})
