import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { request } from 'undici'
import type { Status } from '../../src/status/status.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, jwt } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

/** More than the pause between two looks at the disk. */
const PAUSE = 2_500

/** A ChatGPT login that was made and ends so many seconds from now. */
const login = (made: number, ends: number, account = 'acct-9z8y', user = 'user-1'): string =>
  jwt({ iat: at(made), exp: at(ends), sub: user }, account)
const key = (name: string, begins = 'sk-proj'): string => `${begins}-${name}-${'x'.repeat(30)}`

const auth = (access: string): string => JSON.stringify({ auth_mode: 'chatgpt', OPENAI_API_KEY: 'sk-not-this-one', tokens: { access_token: access, refresh_token: 'rt' } })
const profiles = (...tokens: string[]): string =>
  JSON.stringify({ profiles: Object.fromEntries(tokens.map((access, i) => [`openai:somebody-${i}@example.com`, { type: 'oauth', provider: 'openai', access }])) })

/** A sidecar whose user has a home folder, before an upstream that refuses dead tokens. */
async function setUp (t: Test, { mode = 'status', files = {} }: { mode?: string, files?: Record<string, string> } = {}) {
  const dead = new Set<string>()
  const upstreamSays = { code: 'token_revoked', message: 'Your login was revoked.' }
  const asked: string[] = []
  const upstream = await startUpstream(t, ({ headers: { authorization = '' } }, response) => {
    const token = authorization.replace('Bearer ', '')
    asked.push(token)
    if (dead.has(token)) json(response, 401, { error: upstreamSays })
    else json(response, 200, {})
  })
  const home = t.testdir({})
  /** Puts a file into the home folder, as a client does: whole. */
  const put = (name: string, text: string): void => {
    const path = join(home, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  for (const [name, text] of Object.entries(files)) put(name, text)
  const clock = simulatedClock()
  const sidecar = await startSidecar(t, { upstream: upstream.url, clock, env: { HOME: home, CODEX_SIDECAR_CLIENT_LOGINS: mode } })
  const send = async (token: string, userAgent = 'codex_vscode/0.5.1', path = '/backend-api/codex/responses') => {
    clock.advance(1)
    const { statusCode, body } = await request(`${sidecar.url}${path}`, { method: 'POST', headers: { ...bearer(token), 'user-agent': userAgent }, body: '{}' })
    const text = await body.text()
    sidecar.app.generation.legacy.journal.flush()
    return { status: statusCode, text }
  }
  const told = async () => (await (await request(`${sidecar.url}/status`)).body.json() as Status).credentials.list
  return { ...sidecar, clock, dead, upstreamSays, asked, home, put, send, told, one: async () => (await told())[0] }
}

t.test('a newer login of the same account on disk is told, with whom to restart', async t => {
  const [old, fresh] = [login(-10_800, -7_200), login(-600, 86_400)]
  const s = await setUp(t, { files: { '.codex/auth.json': auth(fresh) } })
  await s.send(old)
  await s.send(old, 'OpenAI/JS 6.49.0')
  t.match(await s.one(), {
    state: 'expired', newer: { client: 'codex', place: '~/.codex/auth.json', certain: true },
    todo: 'Restart OpenAI/JS 6.49.0, codex_vscode 0.5.1: still in use is a login of 3 hours ago, and a newer one is in ~/.codex/auth.json.'
  })
  const { refusals } = await (await request(`${s.url}/status`)).body.json() as Status
  t.match(refusals, [{ count: 2, message: /\(2 hours ago\)\. The client still uses a login of 3 hours ago; a newer one is on its disk: restart the client\.$/ }])
  t.match((await s.send(old)).text, /Sign in again and retry; nothing needs a restart\./, 'the 401 has its usual words where nobody has turned the others on')

  s.put('.codex/auth.json', auth(old))
  s.clock.advance(PAUSE)
  t.match(await s.one(), { newer: null, todo: /^Sign in again in the client/ }, 'the file is read again once it has changed')

  s.put('.openclaw/agents/main/agent/auth-profiles.json', profiles(fresh, key('other')))
  s.clock.advance(PAUSE)
  t.match(await s.one(), { newer: { client: 'openclaw', place: '~/.openclaw/agents/main/agent/auth-profiles.json' }, todo: 'Sign in again in the client whose login is in ~/.codex/auth.json: it has a login of 3 hours ago, and a newer one of the same account is in ~/.openclaw/agents/main/agent/auth-profiles.json.' }, 'where a restart would not help')
})

t.test('what is no help is not told', async t => {
  const old = login(-10_800, -7_200)
  for (const [what, other] of [
    ['of another account', login(-600, 86_400, 'acct-0000')], ['of another person', login(-600, 86_400, 'acct-9z8y', 'user-2')], ['that is older', login(-20_000, 86_400)],
    ['that has ended', login(-600, -120)], ['that tells no times', jwt({ exp: undefined, sub: 'user-1' }, 'acct-9z8y')], ['of another kind', key('other')]
  ] as const) {
    const s = await setUp(t, { files: { '.codex/auth.json': auth(other) } })
    await s.send(old)
    t.match(await s.one(), { state: 'expired', newer: null }, `a login ${what}`)
  }
  const fresh = login(-600, 86_400)
  const refused = await setUp(t, { files: { '.codex/auth.json': auth(fresh) } })
  refused.dead.add(fresh)
  for (const token of [old, fresh]) await refused.send(token)
  t.strictSame((await refused.told()).map(({ newer }) => newer), [null, null], 'one that was refused itself')

  const [plain, other] = [`sk-${'a'.repeat(32)}`, `sk-${'b'.repeat(32)}`]
  const many = await setUp(t, { files: { '.openclaw/agents/main/agent/auth-profiles.json': JSON.stringify({ profiles: { deepseek: { type: 'api_key', provider: 'deepseek', key: other } } }) } })
  many.dead.add(plain)
  many.upstreamSays.code = 'invalid_api_key'
  for (let i = 0; i < 2; i++) await many.send(plain, 'openclaw/2026.9.6', '/v1/x')
  t.match(await many.one(), { state: 'refused', newer: null, todo: /^Replace the key/ }, 'a key of another provider')

  const off = await setUp(t, { mode: 'off', files: { '.codex/auth.json': auth(fresh) } })
  await off.send(old)
  t.match(await off.one(), { newer: null }, 'none where nothing is to be read')

  const good = await setUp(t, { files: { '.codex/auth.json': auth(fresh) } })
  await good.send(login(-10_800, 3_600))
  t.match(await good.one(), { state: 'good', newer: null, todo: null }, 'none beside a good one')
})

t.test('a login that was renewed needs nobody', async t => {
  const [first, second, third] = [login(-10_800, 30), login(-600, 7_200), login(-60, 90_000)]
  const s = await setUp(t, { files: { '.codex/auth.json': auth(second) } })
  const madeAt = (token: string): number => (JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { iat: number }).iat * 1000
  const told = async (token: string) => (await s.told()).find(({ issuedAt }) => Date.parse(String(issuedAt)) === madeAt(token))
  await s.send(first)
  await s.send(second)
  s.clock.advance(120_000)
  t.match(await told(first), { state: 'expired', words: /^it expired at \S+, and nobody was refused with it$/, newer: null, todo: null }, 'before it ended')
  s.dead.add(second)
  await s.send(second)
  await s.send(second)
  t.match(await told(second), { state: 'refused', todo: /^Sign in again/ })
  s.put('.codex/auth.json', auth(third))
  s.clock.advance(PAUSE)
  t.match(await told(second), { state: 'refused', todo: /^Restart codex_vscode 0\.5\.1: still in use is a login of/ })
  const { refusals: before } = await (await request(`${s.url}/status`)).body.json() as Status
  t.match(before[0]?.message, /restart the client/)
  await s.send(third, 'codex_vscode/0.6.0')
  t.match(await told(second), { state: 'refused', newer: null, todo: null }, 'after it was refused')
  const { refusals: after } = await (await request(`${s.url}/status`)).body.json() as Status
  t.notMatch(after[0]?.message, /restart the client/)
  t.strictSame((await s.told()).map(({ state }) => state), ['good', 'refused', 'expired'], 'those that need nobody stand last')
  s.clock.advance(PAUSE)
  await s.send(second)
  t.match(await told(second), { todo: /^Restart codex_vscode/ }, 'but who comes back to the old one still has it')
  await s.send(third, 'codex_vscode/0.6.0')
  t.match(await told(second), { todo: /^Restart codex_vscode/ })

  const two = await setUp(t)
  two.dead.add(second)
  for (const client of ['codex_vscode/0.5.1', 'openclaw/2026.9.6']) await two.send(second, client)
  await two.send(third)
  t.match((await two.told())[0], { state: 'refused', todo: /^Sign in again/ }, 'one of two clients went on')
  await two.send(third, 'openclaw/2026.9.6')
  t.match((await two.told()).at(-1), { state: 'refused', todo: null }, 'both did')

  const nameless = await setUp(t)
  nameless.dead.add(second)
  for (const token of [second, third]) await nameless.send(token, '')
  t.match((await nameless.told())[0], { state: 'refused', todo: /^Sign in again/ }, 'who has no name may be anybody')
})

t.test('tokens without times or accounts', async t => {
  const s = await setUp(t, { files: { '.claude/.credentials.json': JSON.stringify({ claudeAiOauth: { accessToken: key('fresh', 'sk-ant-oat01'), refreshToken: 'r', expiresAt: 1 } }), '.codex/auth.json': auth(jwt({ exp: at(86_400) }, 'acct-9z8y')) } })
  const [old, oauth] = [jwt({ exp: at(-7_200) }, 'acct-9z8y'), key('old', 'sk-ant-oat01')]
  s.dead.add(oauth)
  await s.send(old)
  await s.send(oauth, 'claude-cli/2.1.332', '/backend-api/x')
  const told = await s.told()
  t.match(told.find(({ kind }) => kind === 'anthropic_oauth'), { newer: { client: 'claude', certain: false }, todo: 'Restart claude-cli 2.1.332: another login is in ~/.claude/.credentials.json than the one in use.' })
  t.match(told.find(({ kind }) => kind === 'chatgpt_login'), { todo: 'Restart codex_vscode 0.5.1: still in use is an older login, and a newer one is in ~/.codex/auth.json.' })
  s.put('.claude/.credentials.json', JSON.stringify({ claudeAiOauth: { accessToken: oauth } }))
  s.clock.advance(PAUSE)
  t.match((await s.told()).find(({ kind }) => kind === 'anthropic_oauth'), { newer: null }, 'it is the one that the client has')
})

t.test('the 401 says so where that is turned on', async t => {
  const [old, fresh] = [login(-10_800, -7_200), login(-600, 86_400)]
  const s = await setUp(t, { mode: 'answers', files: { '.codex/auth.json': auth(fresh) } })
  const { status, text } = await s.send(old)
  t.equal(status, 401)
  t.match(JSON.parse(text), { error: { code: 'token_expired', message: /^Invalid bearer token - it expired at \S+ \(2 hours ago\)\. The client still uses a login of 3 hours ago; a newer one is on its disk: restart the client\.$/ } })
  const revoked = login(-7_300, 86_400)
  s.dead.add(revoked)
  await s.send(revoked)
  t.match((await s.send(revoked)).text, /it was revoked: .*\)\. The client still uses a login of 2 hours ago; a newer one is on its disk: restart the client\./)
  s.put('.codex/auth.json', auth(revoked))
  s.put('.openclaw/agents/main/agent/auth-profiles.json', profiles(fresh))
  s.clock.advance(PAUSE)
  t.match((await s.send(revoked)).text, /The client has a login of 2 hours ago; another client on this machine has a newer one of the same account: sign in again in this one\./)
  rmSync(join(s.home, '.openclaw'), { recursive: true })
  s.clock.advance(PAUSE)
  t.match((await s.send(revoked)).text, /Sign in again or replace the key/)
  t.equal((await s.send(login(-5, 600))).status, 200)
  t.match((await s.send(login(-9_000, -8_000, 'acct-0000'))).text, /Sign in again and retry/, 'one that nobody has seen before, of another account')

  const opaque = key('old', 'sk-ant-oat01')
  s.dead.add(opaque)
  s.put('.claude/.credentials.json', JSON.stringify({ claudeAiOauth: { accessToken: key('new', 'sk-ant-oat01') } }))
  s.clock.advance(PAUSE)
  for (let i = 0; i < 2; i++) await s.send(opaque, 'claude-cli/2', '/backend-api/x')
  t.match((await s.send(opaque, 'claude-cli/2', '/backend-api/x')).text, /Another login of this client is on its disk: restart the client\./)
})

t.test('a rejection is due again once a login of its account has changed on disk', async t => {
  const [old, fresh] = [login(-10_800, 86_400), login(-600, 90_000)]
  const s = await setUp(t, { files: { '.codex/auth.json': auth(old) } })
  s.dead.add(old)
  await s.send(old)
  const before = s.asked.length
  for (let i = 0; i < 3; i++) await s.send(old)
  s.clock.advance(PAUSE)
  for (let i = 0; i < 3; i++) await s.send(old)
  t.equal(s.asked.length, before, 'what lay there before the rejection changes nothing')

  await s.told() // it waits for the look that the refusals have begun
  s.clock.advance(PAUSE)
  s.put('.codex/auth.json', auth(fresh))
  await s.told()
  t.match((await s.send(old)).text, /nothing needs a restart/, 'the last answer once more')
  await s.send(old)
  t.equal(s.asked.length, before + 1, 'the next one asks')
  for (let i = 0; i < 3; i++) await s.send(old)
  t.equal(s.asked.length, before + 1, 'once')

  const other = await setUp(t, { files: { '.codex/auth.json': auth(login(-60, 86_400, 'acct-0000')) } })
  other.dead.add(old)
  for (let i = 0; i < 3; i++) await other.send(old)
  t.equal(other.asked.length, 1, 'another account’s says nothing')
})

t.test('nothing that was read leaves the process', async t => {
  const [old, fresh] = [login(-10_800, -7_200), login(-600, 86_400)]
  const canary = key('canary')
  const s = await setUp(t, { mode: 'answers', files: { '.codex/auth.json': auth(fresh), '.openclaw/agents/main/agent/auth-profiles.json': profiles(canary, fresh), '.claude/.credentials.json': `{ "claudeAiOauth": { "accessToken": "${canary}` } })
  const answers = [await s.send(old), await s.send(old)].map(({ text }) => text)
  const status = await (await request(`${s.url}/status`)).body.text()
  const metrics = await (await request(`${s.url}/metrics`)).body.text()
  const everything = [...answers, status, metrics, JSON.stringify(s.lines()), inspect(s.app.generation, { depth: 6 })].join('\n')
  t.match(status, '~/.codex/auth.json', 'it was read')
  for (const secret of [fresh.split('.')[1] as string, fresh.slice(-12), canary, 'canary', 'xxxx', 'somebody-', 'user-1']) t.notOk(everything.includes(secret), secret.slice(0, 8))
})
