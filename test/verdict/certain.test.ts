import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { buildApp } from '../../src/app/app.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { configFor, startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

// Rows of public reports (the parts A, E, F and H of the list they stand in), each with what is right.

interface Asked { readonly method: string, readonly path: string, readonly query: string, readonly headers: IncomingHttpHeaders }
interface Told { readonly status: number, readonly body: unknown }

const good: Told = { status: 200, body: { ok: true } }
const dead: Told = { status: 401, body: deadKey }
const anthropic = (message: string): Told => ({ status: 401, body: { type: 'error', error: { type: 'authentication_error', message } } })
const openai = (code: string | null, message: string): Told => ({ status: 401, body: { error: { code, message, type: 'invalid_request_error', param: null } } })

/** An upstream by a rule, and what a client sees through the program. */
async function setUp (t: Test, rule: (asked: Asked) => Told | Promise<Told>, options: Omit<SidecarOptions, 'upstream'> = {}) {
  const clock = simulatedClock()
  const told = (method = '', url = '', headers: IncomingHttpHeaders): Told | Promise<Told> => rule({ method, path: url.replace(/\?.*/, ''), query: url.replace(/^[^?]*/, ''), headers })
  const { url: upstream, seen, server } = await startUpstream(t, ({ method, url, headers }, response) => {
    void Promise.resolve(told(method, url, headers)).then(({ status, body }) => { json(response, status, body) })
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (incoming, socket, head) => {
    const { status, body } = told('UPGRADE', incoming.url, incoming.headers) as Told
    const text = JSON.stringify(body)
    if (status !== 101) socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`)
    else sockets.handleUpgrade(incoming, socket, head, client => { client.send(text); client.close(3000) })
  })
  const { url } = await startSidecar(t, { upstream, clock, ...options })
  const agent = new Agent()
  t.teardown(() => agent.destroy())
  async function send (path: string, headers: Record<string, string>, method: 'GET' | 'POST' = 'POST') {
    const { statusCode: status, headers: answer, body } = await request(url + path, { method, headers, body: method === 'POST' ? '{}' : null, dispatcher: agent })
    return { status, ours: answer['proxy-status'] !== undefined, text: await body.text() }
  }
  /** The status of a handshake, or 101 and its first message. */
  async function shake (path: string, headers: Record<string, string>): Promise<string> {
    const socket = new WebSocket(url.replace('http', 'ws') + path, { headers })
    socket.on('error', () => {})
    t.teardown(() => { socket.terminate() })
    return await Promise.race([
      once(socket, 'message').then(([data]) => `101 ${(data as Buffer).toString()}`),
      once(socket, 'unexpected-response').then(([, response]) => String((response as { statusCode: number }).statusCode))
    ])
  }
  return { send, shake, clock, seen }
}

const served = { status: 200, ours: false }
const probing = { config: { probe: 'first-use' } } as const
const oauth = { 'anthropic-beta': 'oauth-2025-04-20' }

t.test('A1, H2: an OAuth token that one client sends without its beta header serves the other client as ever', async t => {
  const s = await setUp(t, ({ headers }) => headers['anthropic-beta'] === undefined ? anthropic('OAuth authentication is currently not supported.') : good)
  const token = bearer('sk-ant-oat01-x')
  for (let i = 0; i < 4; i++) {
    t.match(await s.send('/v1/messages', token), { status: 401, ours: false }, 'its own answer passes unchanged')
    t.match(await s.send('/v1/messages', { ...token, ...oauth }), served)
  }
})

t.test('A2: a restricted key that may not list models may ask', async t => {
  const s = await setUp(t, ({ method }) => method === 'GET' ? openai(null, 'You have insufficient permissions for this operation. Missing scopes: api.model.read') : good)
  for (let i = 0; i < 3; i++) t.match(await s.send('/v1/models', bearer('sk-r'), 'GET'), { status: 401, ours: false })
  t.match(await s.send('/v1/responses', bearer('sk-r')), served)
})

t.test('A3: a key with a wrong organisation is good with the right one', async t => {
  const s = await setUp(t, ({ headers }) => headers['openai-organization'] === 'org-a' ? good : openai('mismatched_organization', 'OpenAI-Organization header should match organization for API key'))
  for (let i = 0; i < 3; i++) t.match(await s.send('/v1/responses', { ...bearer('sk-o'), 'openai-organization': 'org-b' }), { status: 401, ours: false })
  t.match(await s.send('/v1/responses', { ...bearer('sk-o'), 'openai-organization': 'org-a' }), served)
})

t.test('A4, A5, H7: what a token looks like, and which account it names, is the upstream’s business where it is nobody’s official one', async t => {
  const s = await setUp(t, () => good)
  t.match(await s.send('/backend-api/codex/responses', { ...bearer(jwt({}, 'acct-1')), 'chatgpt-account-id': 'org-2' }), served)
  t.match(await s.send('/backend-api/codex/responses', bearer('sk-clb-abc')), served)
  t.match(await s.send('/v1/chat/completions', bearer('sk-ant-api03-abc')), served)
})

t.test('A8: a 101 proves nothing: a dead key stays rejected', async t => {
  const s = await setUp(t, ({ method }) => method === 'UPGRADE' ? { status: 101, body: { type: 'error', error: { code: 'invalid_api_key' } } } : dead)
  t.match(await s.send('/v1/responses', bearer('sk-dead')), { status: 401, ours: false })
  s.clock.advance(16_000)
  await s.shake('/v1/realtime', bearer('sk-dead'))
  t.match(await s.send('/v1/responses', bearer('sk-dead')), { status: 401, ours: true }, 'by us, as before')
})

t.test('A10: our refusal repeats what the upstream said', async t => {
  const words = 'Your account was deactivated, check your email for more information.'
  const s = await setUp(t, () => openai('account_deactivated', words))
  for (let i = 0; i < 2; i++) await s.send('/v1/responses', bearer('sk-d'))
  const { ours, text } = await s.send('/v1/responses', bearer('sk-d'))
  t.equal(ours, true)
  t.match(text, words)
})

t.test('E1: a token that the probe’s path has no access for is served by the path that knows it', async t => {
  const s = await setUp(t, ({ method }) => method === 'GET' ? anthropic('this token has no access to models') : good, probing)
  for (let i = 0; i < 8; i++) {
    t.match(await s.send('/v1/messages', bearer('sk-ant-oat01-e')), served)
    s.clock.advance(19_000)
  }
})

t.test('E2: a probe’s 401 refuses nobody whose real requests are answered, not even while the next one runs', async t => {
  let renewal = good
  let turns = 0
  let finish: (() => void) | undefined
  const s = await setUp(t, ({ method }) => {
    if (method === 'GET') return renewal
    return ++turns === 2 ? new Promise(resolve => { finish = () => { resolve(good) } }) : good
  }, probing)
  t.match(await s.send('/v1/responses', bearer('sk-e2')), served)
  renewal = dead
  s.clock.advance(9.5 * 60_000)
  const turn = s.send('/v1/responses', bearer('sk-e2'))
  while (finish === undefined || !/codex_sidecar_probes_total\S*outcome="inactive"\S* 1/.test((await s.send('/metrics', {}, 'GET')).text)) await new Promise(resolve => setImmediate(resolve))
  t.match(await s.send('/v1/responses', bearer('sk-e2')), served, 'a helper with the same token')
  finish()
  t.match(await turn, served)
})

t.test('E2: a token that was good is asked about while questions about new ones hang', async t => {
  let asked = 0
  const hanging: (() => void)[] = []
  const s = await setUp(t, ({ method, headers }) => {
    if (method !== 'GET') return good
    if (headers.authorization === 'Bearer sk-good') {
      asked++
      return good
    }
    return new Promise(resolve => { hanging.push(() => { resolve(good) }) })
  }, { ...probing, times: { probe: 60_000 } })
  t.match(await s.send('/v1/responses', bearer('sk-good')), served)
  const junk = Array.from({ length: 5 }, (_, i) => s.send('/v1/responses', bearer(`sk-new-${i}`)))
  while (hanging.length < 5) await new Promise(resolve => setImmediate(resolve))
  t.match(await s.send('/v1/responses', bearer('sk-new-5')), served, 'a sixth new one goes on without')
  s.clock.advance(9.5 * 60_000)
  t.match(await s.send('/v1/responses', bearer('sk-good')), served)
  while (asked < 2) await new Promise(resolve => setImmediate(resolve))
  t.equal(hanging.length, 5, 'its verdict is renewed meanwhile')
  for (const finish of hanging) finish()
  for (const answer of await Promise.all(junk)) t.match(answer, served)
})

t.test('a login that was good and then gets 401 without a reason for everything is asked about four times, and then once in 15 s', async t => {
  let lives = true
  let turns = 0
  const s = await setUp(t, ({ method }) => {
    if (method === 'POST') turns++
    return lives ? good : { status: 401, body: { detail: 'Unauthorized' } }
  }, probing)
  const login = bearer(jwt({ jti: 'revoked' }))
  const post = async () => await s.send('/backend-api/codex/responses', login)
  for (let i = 0; i < 3; i++) t.match(await post(), served)
  lives = false
  turns = 0
  for (let i = 0; i < 20; i++) t.match(await post(), { status: 401, ours: i >= 4 })
  t.equal(turns, 4)
  t.match(await s.send('/backend-api/codex/responses/compact', login), { status: 401, ours: false }, 'another path is another matter')
  for (let i = 0; i < 3; i++) {
    s.clock.advance(15_000)
    t.match([await post(), await post()], [{ ours: false }, { ours: true }])
  }
  lives = true
  t.match(await s.send('/backend-api/codex/models', login, 'GET'), served)
  t.match(await post(), served, 'at once when anything shows that it lives')
})

t.test('F1: a key whose handshakes are refused with a definitive 401 is served over HTTP', async t => {
  const s = await setUp(t, ({ method }) => method === 'UPGRADE' ? dead : good, probing)
  for (let i = 0; i < 4; i++) {
    t.equal(await s.shake('/v1/responses', bearer('sk-f1')), '401')
    t.match(await s.send('/v1/responses', bearer('sk-f1')), served)
  }
})

t.test('F2: one definitive 401 to a token known to be good refuses nothing after it', async t => {
  let next = good
  const s = await setUp(t, () => next)
  t.match(await s.send('/v1/responses', bearer('sk-f2')), served)
  next = dead
  t.match(await s.send('/v1/responses', bearer('sk-f2')), { status: 401, ours: false })
  next = good
  for (let i = 0; i < 3; i++) t.match(await s.send('/v1/responses', bearer('sk-f2')), served)
})

t.test('F6, F7: after a probe that says nothing a cold dead token costs one request, and a new token for each try no probe each', async t => {
  let probes = 0
  let turns = 0
  let says = dead
  const s = await setUp(t, ({ method }) => {
    if (method !== 'GET') {
      turns++
      return says
    }
    probes++
    return { status: 403, body: {} }
  }, probing)
  for (let i = 0; i < 5; i++) await s.send('/v1/responses', bearer('sk-f6'))
  t.strictSame([probes, turns], [1, 1])
  says = { status: 401, body: { detail: 'Unauthorized' } }
  for (let i = 0; i < 20; i++) t.match(await s.send('/v1/responses', bearer(`sk-f7-${i}`)), { status: 401, ours: false })
  t.ok(probes <= 3 + 1, `${probes} probes for 20 tokens`)
})

t.test('a gateway’s own keys: what was said of one of them refuses no key of its clients', async t => {
  let turns = 0
  const own = ['sk-pool-one-aaaa', 'sk-pool-two-bbbb']
  const s = await setUp(t, ({ method }) => {
    if (method === 'GET') return { status: 404, body: {} }
    return turns++ % 2 === 0 ? openai('invalid_api_key', `Incorrect API key provided: ${own[0]?.slice(0, 8)}***aaaa.`) : good
  }, probing)
  for (let i = 0; i < 4; i++) {
    t.match(await s.send('/v1/responses', bearer('sk-client')), { status: 401, ours: false })
    t.match(await s.send('/v1/responses', bearer('sk-client')), served)
  }
  const pool = await setUp(t, ({ headers }) => headers.authorization === 'Bearer sk-client' ? openai('token_invalidated', 'Your authentication token has been invalidated.') : good, probing)
  for (let i = 0; i < 2; i++) t.match(await pool.send('/v1/responses', bearer('sk-client')), { status: 401, ours: false }, 'a login of its own')
  t.match(await pool.send('/v1/responses', bearer('sk-client')), { status: 401, ours: true }, 'though a gateway that has no good one is not asked for ever: two probes count, too')
  t.match(await pool.send('/v1/responses', bearer('sk-other')), served)
})

t.test('a helper without a gateway’s own header is refused without a reason, again and again: that harms nobody who has it', async t => {
  for (const name of ['cf-aig-authorization', 'helicone-auth', 'x-portkey-api-key', 'cookie', 'chatgpt-account-id', 'openai-beta', 'x-goog-user-project', 'originator', 'origin', 'x-team-id', 'x-litellm-tags']) {
    const s = await setUp(t, ({ headers }) => headers[name] === 'right' ? good : { status: 401, body: { detail: 'Unauthorized' } }, probing)
    for (let i = 0; i < 8; i++) t.match(await s.send('/v1/responses', { ...bearer('sk-1'), [name]: 'wrong' }), { status: 401 })
    t.match(await s.send('/v1/responses', { ...bearer('sk-1'), [name]: 'right' }), served, name)
    for (let i = 0; i < 8; i++) await s.send('/v1/responses', bearer('sk-1'))
    t.match(await s.send('/v1/responses', { ...bearer('sk-1'), [name]: 'right' }), served, `without ${name}`)
  }
})

t.test('what differs with every request makes no other request of it', async t => {
  let turns = 0
  const s = await setUp(t, () => {
    turns++
    return { status: 401, body: {} }
  })
  for (let i = 0; i < 20; i++) await s.send('/v1/responses', { ...bearer('sk-1'), 'idempotency-key': String(i), 'x-client-request-id': String(i), 'session-id': String(i), traceparent: `00-${i}`, date: String(i), 'content-type': `multipart/form-data; boundary=${i}`, 'x-stainless-retry-count': String(i), conversation_id: String(i), 'thread-id': String(i), 'x-codex-turn-metadata': String(i), 'x-codex-window-id': String(i) })
  t.equal(turns, 4)
})

t.test('H1: a browser extension with the same key and without its header harms nobody', async t => {
  const s = await setUp(t, ({ headers }) => headers.origin === undefined ? good : anthropic('CORS requests must set \'anthropic-dangerous-direct-browser-access\' header'))
  const key = { 'x-api-key': 'sk-ant-api03-h' }
  for (let i = 0; i < 4; i++) {
    t.match(await s.send('/v1/messages', { ...key, origin: 'chrome-extension://abc' }), { status: 401, ours: false })
    t.match(await s.send('/v1/messages', key), served)
  }
})

t.test('requests with another query are none like it', async t => {
  const s = await setUp(t, ({ query }) => query === '?project_ids=A' ? { status: 401, body: {} } : query === '?model=a' ? dead : good, { config: { probe: 'off' } })
  for (let i = 0; i < 6; i++) t.match(await s.send('/v1/organization/usage?project_ids=A', bearer('sk-q'), 'GET'), { status: 401, ours: i >= 4 })
  t.match(await s.send('/v1/organization/usage?project_ids=B', bearer('sk-q'), 'GET'), served)
  t.match(await s.send('/v1/organization/usage', bearer('sk-q'), 'GET'), served)
})

t.test('good shapes are known again after a reload', async t => {
  let next = good
  const upstream = await startUpstream(t, (_request, response) => { json(response, next.status, next.body) })
  const config = configFor({ upstream: upstream.url, config: { probe: 'off' } })
  const log = createLog({ level: 'silent' })
  const before = buildApp({ config, log })
  t.teardown(() => before.close())
  const headers = { ...bearer(jwt()), 'chatgpt-account-id': 'acct-1' }
  const send = async (url: string): Promise<number> => {
    const { statusCode, body } = await request(`${url}/backend-api/codex/responses`, { method: 'POST', body: '{}', headers })
    await body.dump()
    return statusCode
  }
  t.equal(await send(await before.listen({ port: 0, host: '127.0.0.1' })), 200)
  const reloaded = buildApp({ config, log, before: before.generation })
  t.teardown(() => reloaded.close())
  const url = await reloaded.listen({ port: 0, host: '127.0.0.1' })
  next = dead
  for (let i = 0; i < 2; i++) t.equal(await send(url), 401)
  next = good
  t.equal(await send(url), 401, 'two in a row, to a request like one that was good, refuse the token')
  const other = { ...headers, 'chatgpt-account-id': 'acct-2' }
  t.equal((await request(`${url}/backend-api/codex/responses`, { method: 'POST', body: '{}', headers: other })).statusCode, 401, 'so that others of it are refused, too')
})
