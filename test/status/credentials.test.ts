import t, { type Test } from 'tap'
import { request } from 'undici'
import type { Status } from '../../src/status/status.ts'
import { RequestRecord } from '../../src/telemetry/record.ts'
import { tellLimits } from '../../src/telemetry/usage/quota.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { credentialOf } from '../fixtures/judging.ts'
import { configFor, startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

const key = (name: string): string => `sk-proj-${name}-${'x'.repeat(20)}${name.slice(0, 4).padEnd(4, '_')}`

/** A sidecar before an upstream that answers by what a token is called. */
async function setUp (t: Test) {
  let revived = false
  let requests = 0
  const upstream = await startUpstream(t, ({ headers: { authorization = '' }, url = '' }, response) => {
    if (authorization.includes('dead') && !revived) json(response, 401, deadKey)
    else if (authorization.includes('poor')) json(response, 429, {}, { 'retry-after': '20', 'x-codex-primary-used-percent': '100', 'x-codex-primary-window-minutes': '300', 'x-codex-turn-state': 'secret-state' })
    else if (url.includes('scope')) json(response, 401, { error: { message: 'Missing scopes: api.x', code: 'missing_scope' } }, { 'x-request-id': `req_${requests++}` })
    else if (url.includes('cut')) { response.writeHead(401, { 'content-length': '500' }); response.write('{"error":', () => { response.destroy() }) }
    else if (url.includes('revoked')) json(response, 401, { error: { code: 'token_revoked', message: 'Your login was revoked.' } })
    else if (url.includes('garbled')) json(response, 401, { error: { message: 'no gzip' } }, { 'content-encoding': 'gzip' })
    else if (url.includes('echo')) json(response, 401, { error: { message: `Not with ${authorization.slice(-14)}` } })
    else if (url.includes('unclear')) json(response, 401, { detail: 'Unauthorized' })
    else if (url.includes('broken')) json(response, 500, {})
    else json(response, 200, {}, { 'x-ratelimit-limit-requests': '500', 'x-ratelimit-remaining-requests': '499', 'x-ratelimit-reset-requests': '2s' })
  })
  const clock = simulatedClock()
  const sidecar = await startSidecar(t, { upstream: upstream.url, clock })
  const send = async (token: string, path = '/v1/models', userAgent = 'tool/1') => {
    const { statusCode, body } = await request(`${sidecar.url}${path}`, { headers: { ...bearer(token), 'user-agent': userAgent } })
    return { status: statusCode, text: await body.text() }
  }
  const status = async () => await (await request(`${sidecar.url}/status`)).body.json() as Status
  return { ...sidecar, clock, send, status, revive: () => { revived = true }, /** What is told of the only credential. */ one: async () => (await status()).credentials.list[0] }
}

t.test('each credential is told by its own name, with what holds for it and what to do', async t => {
  const s = await setUp(t)
  for (const token of [key('good'), key('dead'), key('dead'), key('poor')]) await s.send(token)
  await s.send(key('good'), '/v1/models', 'codex_cli_rs/0.1')
  await s.send(jwt({ exp: at(-7200) }, 'acct-9z8y'), '/backend-api/codex/responses')
  s.clock.advance(3_000)
  const { credentials: { kept, list } } = await s.status()
  t.equal(kept, 4)
  t.strictSame(list.map(({ name, state }) => [name, state]), [
    ['OpenAI project key (…dead)', 'refused'], ['ChatGPT login (plan pro, …9z8y)', 'expired'], ['OpenAI project key (…poor)', 'limited'], ['OpenAI project key (…good)', 'good']
  ], 'those that need somebody first')
  t.match(list, [
    { words: /^it knows no such API key.* \(\/v1\/\)$/, source: 'upstream', ageSeconds: 3, todo: 'Replace the key in the client that uses it.', held: true, requests: { refused: 2, good: 0 } },
    { kind: 'chatgpt_login', plan: 'pro', ending: '9z8y', words: /^it expired at .* \(2 hours ago\)$/, source: 'claims', todo: /^Sign in again/, held: false, endsInSeconds: Number },
    { words: /at its limit/, todo: /^Wait/, limits: [{ name: 'limit reached', words: 'wait 20 s' }, { name: 'primary', words: '100 % used of 5 h', used: 1 }], limitsAgeSeconds: 3 },
    { words: 'accepted (/v1/)', todo: null, held: false, requests: { good: 2, refused: 0 }, usedSecondsAgo: 3, limits: [{ name: 'requests', words: '499 of 500 left, filled again: 2s' }],
      clients: [{ name: 'codex_cli_rs', version: '0.1', requests: 1, usedSecondsAgo: 3 }, { name: 'tool', version: '1', requests: 1 }] }
  ])
  t.ok((list[1]?.endsInSeconds ?? 0) < -7190)
})

t.test('what is not the token’s own fault is told so', async t => {
  for (const [path, times, expected] of [
    ['/v1/scope', 1, { state: 'partly', words: /not for the token itself/, todo: /^Look at the refusals/, source: 'upstream' }],
    ['/v1/unclear', 1, { state: 'unclear', words: /401 without a reason/, todo: null }],
    ['/v1/unclear', 5, { state: 'partly', words: /again and again/ }],
    ['/v1/garbled', 1, { state: 'unclear', words: 'the upstream refused its last request, and gave no reason that can be read', todo: null, source: 'upstream' }],
    ['/v1/cut', 1, { state: 'unclear', words: 'the upstream refused its last request, and gave no reason that can be read', todo: null, source: 'upstream' }],
    ['/v1/broken', 1, { state: 'unclear', words: 'no answer so far tells', source: null }]
  ] as const) {
    const s = await setUp(t)
    for (let i = 0; i < times; i++) await s.send(key('some'), path)
    t.match(await s.one(), expected, `${path} ${times}`)
  }
  const s = await setUp(t)
  await s.send(key('dead'))
  await s.send(key('dead'))
  s.app.generation.verdicts.release()
  t.match(await s.one(), { state: 'unclear', words: /^it was refused before/, held: false })

  const good = await setUp(t)
  await good.send(key('good'))
  good.app.generation.verdicts.release()
  await good.send(key('good'), '/v1/broken')
  t.match(await good.one(), { state: 'good' })
  await good.send(`sk-ant-${'x'.repeat(30)}`, '/v1/messages')
  t.match((await good.status()).credentials.list.map(({ kind, state }) => `${kind} ${state}`).sort(), ['anthropic_key good', 'openai_project_key good'])

  const over = await setUp(t)
  await over.send(jwt({ exp: at(600) }))
  over.clock.advance(3_600_000)
  t.match(await over.one(), { state: 'expired', words: /^it expired at/, source: 'claims', ageSeconds: Number }, 'it ends while nobody uses it')
})

t.test('nothing is told for certain that is not', async t => {
  const s = await setUp(t)
  await s.send(key('cuts'), '/v1/cut')
  t.match((await s.status()).refusals, [{ code: 'upstream_incomplete', message: /^The upstream refused with status 401 and its explanation did not arrive whole/ }])

  const over = await setUp(t)
  await over.send(jwt({ exp: at(-30) }))
  over.clock.advance(3_600_000)
  t.match(await over.one(), { state: 'expired', todo: null })
  const ahead = await setUp(t)
  await ahead.send(jwt({ exp: at(86_400) }))
  ahead.clock.advance(86_400_000 + 120_000)
  const taken = await ahead.send(jwt({ exp: at(86_400) }))
  t.equal(taken.status, 200, 'the clock of the upstream is another one')
  t.match(await ahead.one(), { state: 'good', todo: null }, 'what the upstream takes has not expired')

  for (const exp of [1, 86_400]) {
    const odd = await setUp(t)
    await odd.send(jwt({ exp }))
    t.match(await odd.one(), { state: 'good', endsAt: null, todo: null }, `${exp} is no time of a token`)
  }

  const doubted = await setUp(t)
  await doubted.send(jwt())
  await doubted.send(jwt(), '/v1/revoked')
  t.match(await doubted.one(), { state: 'unclear', words: /^the upstream says that it is dead, against its good answers before/, todo: null })

  const here = await setUp(t)
  await here.send(jwt())
  for (let i = 0; i < 2; i++) await here.send(jwt(), '/backend-api/revoked')
  t.match(await here.one(), { state: 'refused', words: /\(\/backend-api\/\)$/ })
  await here.send(jwt())
  t.match(await here.one(), { state: 'partly', words: /it was revoked.*\(\/backend-api\/\)$/ }, 'dead on one route, and good on another')
})

t.test('the upstream’s own refusals stand among the others, in its own words', async t => {
  const s = await setUp(t)
  for (const path of ['/v1/scope', '/v1/scope', '/v1/unclear', '/v1/echo']) await s.send(key('some'), path)
  await s.send(key('dead'))
  await s.send(key('dead'))
  const { refusals } = await s.status()
  await (await request(`${s.url}/v1/unclear`, { headers: { authorization: 'Basic c2VjcmV0OnNlY3JldA==' } })).body.dump()
  await s.send(key('else'), '/v1/garbled')
  t.strictSame((await s.status()).refusals.slice(0, 2).map(({ code, message }) => [code, message]), Array(2).fill(['upstream_401', 'The upstream refused it, and does not say that the credential itself is dead. The client has its answer as it was.']), 'no words where they can not be read, or may be a secret that nobody knows here')
  t.match(refusals.map(({ code, count, about, message, token }) => ({ code, count, about, message, token })), [
    { code: 'token_rejected', count: 2, about: 'credential', message: /^Invalid bearer token - the upstream rejected it \(it knows no such API key/, token: /^[0-9a-f]{8}$/ },
    { code: 'upstream_401', count: 1, message: 'The upstream refused it, and does not say that the credential itself is dead. The client has its answer as it was.' },
    { code: 'upstream_401', count: 1, message: /^The upstream refused it \("Unauthorized"\), and/ },
    { code: 'upstream_401', count: 2, message: /^The upstream refused it \("Missing scopes: api\.x", request id req_\d+\), and does not say/ }
  ].slice(0, refusals.length), 'the first of a dead token is the upstream’s, those after it are ours')
  t.equal(refusals.length, 4)
})

t.test('what answered well and is known no more is good', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const { url, app } = await startSidecar(t, { upstream: upstream.url, limits: { verdicts: 1 } })
  for (const token of [key('one1'), key('two2')]) await (await request(`${url}/v1/x`, { headers: bearer(token) })).body.dump()
  const { credentials: { list } } = await (await request(`${url}/status`)).body.json() as Status
  t.match(list, [{ ending: 'two2', state: 'good' }])
  t.equal(app.generation.legacy.usage.size, 1)
  await (await request(`${url}/v1/x`, { method: 'OPTIONS', headers: bearer(key('opts')) })).body.dump()
  const last = await (await request(`${url}/status`)).body.json() as Status
  t.match(last.credentials.list.find(({ ending }) => ending === 'opts'), { state: 'good', words: 'accepted' }, 'without any verdict')
})

t.test('a key of another company is told where it belongs', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const routes = configFor({ upstream: upstream.url }).routes.map(route => ({ ...route, foreignPrefixes: { 'sk-': '/v1/' } }))
  const { url } = await startSidecar(t, { upstream: upstream.url, config: { routes } })
  await (await request(`${url}/backend-api/x`, { headers: bearer(key('miss')) })).body.dump()
  const { credentials: { list } } = await (await request(`${url}/status`)).body.json() as Status
  t.match(list, [{ state: 'refused', words: /belongs on \/v1\//, source: 'claims', todo: 'Change the base URL or the credential in the client.' }])
})

t.test('however many are asked for, no more credentials are told than a thousand', async t => {
  const { app, url } = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  for (let i = 0; i < 1_001; i++) {
    const record = new RequestRecord({ id: '1', method: 'GET', target: '/v1/x', foreign: false, userAgent: undefined, originator: undefined })
    app.generation.legacy.usage.finished(Object.assign(record, { credential: credentialOf(`token-${i}`), status: 200, endedAt: 1, route: '/v1' }))
  }
  const { credentials: { kept, list } } = await (await request(`${url}/status?verdicts=999999`)).body.json() as Status
  t.strictSame([kept, list.length], [1_001, 1_000])
})

t.test('limits are told in words', async t => {
  const words = (fields: Record<string, string>) => tellLimits(new Map(Object.entries(fields))).map(({ name, words, used }) => [name, words, used])
  t.strictSame(words({ 'x-codex-secondary-used-percent': '25', 'x-codex-secondary-window-minutes': '10080', 'x-codex-secondary-reset-after-seconds': '1800' }), [['secondary', '25 % used of 7 d, filled again in 30 min', 0.25]])
  t.strictSame(words({ 'x-codex-primary-used-percent': '7' }), [['primary', '7 % used', 0.07]])
  t.strictSame(words({ 'x-codex-primary-used-percent': 'much' }), [])
  t.strictSame(words({ 'anthropic-ratelimit-tokens-remaining': '10', 'anthropic-ratelimit-tokens-limit': '40', 'anthropic-ratelimit-tokens-reset': '2026-11-26T00:00:00Z' }), [['tokens', '10 of 40 left, filled again: 2026-11-26T00:00:00Z', 0.75]])
  t.strictSame(words({ 'x-ratelimit-remaining-tokens': '10' }), [['tokens', '10 left', null]])
  t.strictSame(words({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-limit-tokens': '0' }), [['tokens', '0 of 0 left', null]])
  t.strictSame(words({ 'x-ratelimit-remaining-tokens': 'few', 'retry-after': 'Thu 1 Jan' }), [['limit reached', 'wait until Thu 1 Jan', 1]])
})

t.test('the picture of the hour has what came of requests, and what happened', async t => {
  const s = await setUp(t)
  for (const token of [key('good'), key('good'), key('dead'), key('dead'), key('poor')]) await s.send(token)
  await s.send(key('good'), '/v1/broken')
  const { hour } = await s.status()
  t.equal(hour.minutes.length, 60)
  const sum = (name: 'good' | 'refused' | 'limited' | 'failed'): number => hour.minutes.reduce((sum, minute) => sum + minute[name], 0)
  t.strictSame([sum('good'), sum('refused'), sum('limited'), sum('failed')], [2, 2, 1, 1])
  t.match(hour.events, [{ kind: 'verdict', words: /^token [0-9a-f]{8} is refused$/ }])
  s.app.generation.verdicts.release()
  s.clock.advance(1_000)
  s.revive()
  await s.send(key('dead'))
  t.match((await s.status()).hour.events.at(-1), { kind: 'verdict', words: /^token [0-9a-f]{8} is good again$/ })
  const { statusCode } = await request(`${s.url}/status`, { headers: { host: 'evil.test' } })
  t.equal(statusCode, 403)
})

t.test('four characters are on our own path, and none in the log, metrics or answers', async t => {
  const s = await setUp(t)
  const endings = ['Q7zX', 'W8yV', 'E9wU']
  const tokens = [`sk-proj-${'a'.repeat(30)}Q7zX`, `sk-proj-dead${'a'.repeat(30)}W8yV`, jwt({ exp: at(-7200) }, 'acct-E9wU')]
  const answers: string[] = []
  for (const token of [...tokens, ...tokens]) answers.push((await s.send(token)).text)
  const metrics = await (await request(`${s.url}/metrics`)).body.text()
  const told = JSON.stringify(await s.status())
  const log = JSON.stringify(s.lines())
  for (const [i, ending] of endings.entries()) {
    t.ok(told.includes(`…${ending}`), 'the owner sees which one it is')
    t.notOk(told.includes((tokens[i] as string).slice(-5)), 'and no more of it')
    for (const [where, text] of Object.entries({ log, metrics, answers: answers.join() })) t.notOk(text.includes(ending), `${ending} is not in the ${where}`)
  }
  t.notOk(told.includes('secret-state'))
  t.match(s.lines().filter(({ reqId }) => reqId !== undefined), [{ kind: 'openai_project_key', client: 'tool 1' }, { kind: 'openai_project_key' }, { kind: 'chatgpt_login' }])
})
