import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import initSqlJs from 'sql.js'
import t, { type Test } from 'tap'
import { clientFolders } from '../../src/config/home.ts'
import { createCredentialReader } from '../../src/credential/credential.ts'
import { LoginFiles } from '../../src/logins/login-files.ts'
import { ownSqlite, type Sqlite } from '../../src/logins/sqlite.ts'
import { simulatedClock } from '../fixtures/clock.ts'

const PAUSE = 2_500
const token = (name: string): string => `sk-proj-${name}-${'x'.repeat(30)}${name}`
const profiles = (...names: string[]): string => JSON.stringify({ profiles: Object.fromEntries(names.map(name => [name, { type: 'token', provider: 'openai', token: token(name) }])) })

async function setUp (t: Test, { sqlite = () => undefined, env = {}, patience = 60_000 }: { sqlite?: () => Sqlite | undefined, env?: Record<string, string>, patience?: number } = {}) {
  const home = t.testdir({})
  const put = (name: string, content: string | Buffer): void => {
    mkdirSync(join(home, name, '..'), { recursive: true })
    writeFileSync(join(home, name), content)
  }
  const clock = simulatedClock()
  const files = new LoginFiles({ folders: clientFolders({ HOME: home, ...env }), read: createCredentialReader(), markOf: credential => credential.markBy('salt'), sqlite, clock, patience })
  const look = async () => {
    clock.advance(PAUSE)
    await files.look()
    return files.logins.map(({ client, place, owned: { ending } }) => [client, place, ending])
  }
  return { home, put, clock, files, look }
}

t.test('each client’s files are read, at the places that the environment names', async t => {
  const s = await setUp(t)
  t.strictSame(await s.look(), [], 'none is there')
  s.put('.codex/auth.json', JSON.stringify({ OPENAI_API_KEY: token('key1') }))
  s.put('.claude/.credentials.json', JSON.stringify({ claudeAiOauth: { accessToken: token('cla1') } }))
  s.put('.openclaw/agents/main/agent/auth-profiles.json', profiles('pro1', 'pro2'))
  s.put('.openclaw/agents/other/agent/auth-profiles.json', profiles('pro3'))
  t.strictSame(await s.look(), [
    ['codex', '~/.codex/auth.json', 'key1'], ['claude', '~/.claude/.credentials.json', 'cla1'],
    ...[['main', 'pro1'], ['main', 'pro2'], ['other', 'pro3']].map(([agent, name]) => ['openclaw', `~/.openclaw/agents/${String(agent)}/agent/auth-profiles.json`, name])
  ])
  const elsewhere = await setUp(t, { env: { CODEX_HOME: '~/codex', CLAUDE_CONFIG_DIR: '~/claude' } })
  elsewhere.put('codex/auth.json', JSON.stringify({ OPENAI_API_KEY: token('els1') }))
  elsewhere.put('claude/.credentials.json', JSON.stringify({ claudeAiOauth: { accessToken: token('els2') } }))
  t.strictSame((await elsewhere.look()).map(([, , ending]) => ending), ['els1', 'els2'])
  t.equal(clientFolders({}), undefined, 'a service of the machine has no home')
  t.match(clientFolders({ USERPROFILE: '/somewhere' }), { home: '/somewhere' })
})

t.test('what can not be read holds no login', async t => {
  const s = await setUp(t)
  s.put('.codex/auth.json', '{ "tokens": ')
  s.put('.claude/.credentials.json', JSON.stringify({ claudeAiOauth: { accessToken: token('big1') }, rest: 'x'.repeat(1 << 20) }))
  mkdirSync(join(s.home, '.openclaw/agents/main/agent'), { recursive: true })
  execFileSync('mkfifo', [join(s.home, '.openclaw/agents/main/agent/auth-profiles.json')])
  s.put('.openclaw/agents/twice/agent/auth-profiles.json', JSON.stringify({ profiles: { a: { token: 'with blanks inside' }, b: {}, c: { key: token('key3') } } }))
  t.strictSame((await s.look()).map(([, , ending]) => ending), ['key3'], 'broken, too large, a pipe, no token')
  s.put('.openclaw/agents/twice/agent/auth-profiles.json', '[')
  t.strictSame(await s.look(), [])
})

t.test('one look serves all who ask, and an unchanged file is not read again', async t => {
  const s = await setUp(t)
  s.put('.codex/auth.json', JSON.stringify({ OPENAI_API_KEY: token('key1') }))
  await s.look()
  const [first] = s.files.logins
  await s.look()
  t.equal(s.files.logins[0], first)
  s.put('.codex/auth.json', JSON.stringify({ OPENAI_API_KEY: token('key2') }))
  await s.files.look()
  t.equal(s.files.logins[0], first, 'not again at once')
  const since = s.clock.wall() + PAUSE
  await Promise.all([s.look(), s.files.look()])
  t.match(s.files.logins, [{ owned: { ending: 'key2' }, since }], 'what is new is there since now')
  t.ok((first?.since ?? 0) > Date.now() - 60_000, 'what was there first is there since its file changed')
})

t.test('databases stand for the files that they have replaced, and their own changes are none of their logins’', async t => {
  const SQL = await initSqlJs()
  const database = (name: string): Buffer => {
    const made = new SQL.Database()
    made.run('CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT')
    made.run(`INSERT INTO auth_profile_store VALUES ('default', '${profiles(name)}', ${Date.now()})`)
    const bytes = Buffer.from(made.export())
    made.close()
    return bytes
  }
  // SQLite itself, for the Node that has none.
  class DatabaseSync {
    readonly #database
    constructor (file: string) { this.#database = new SQL.Database(readFileSync(file)) }
    prepare (sql: string) {
      return { all: () => this.#database.exec(sql).flatMap(({ values }) => values.map(([json]) => ({ json }))) }
    }

    close (): void { this.#database.close() }
  }
  const s = await setUp(t, { sqlite: () => ownSqlite() ?? { DatabaseSync } })
  s.put('.openclaw/agents/main/agent/auth-profiles.json', profiles('file'))
  s.put('.openclaw/agents/main/agent/openclaw-agent.sqlite', database('row1'))
  t.strictSame(await s.look(), [['openclaw', '~/.openclaw/agents/main/agent/openclaw-agent.sqlite', 'row1']])
  t.match(s.files.logins, [{ since: -Infinity }])
  s.put('.openclaw/agents/main/agent/openclaw-agent.sqlite-wal', '')
  await s.look()
  t.match(s.files.logins, [{ since: -Infinity }])
  s.put('.openclaw/agents/main/agent/openclaw-agent.sqlite', database('row2'))
  await s.look()
  t.match(s.files.logins, [{ owned: { ending: 'row2' }, since: s.clock.wall() }])
  s.put('.openclaw/agents/main/agent/openclaw-agent.sqlite', 'no database')
  t.strictSame(await s.look(), [])
  const without = await setUp(t)
  without.put('.openclaw/agents/main/agent/openclaw-agent.sqlite', database('row1'))
  t.strictSame(await without.look(), [], 'where this version of Node reads none')
})

t.test('nobody waits for ever for a disk that hangs, and only once', async t => {
  let hangs = true
  const s = await setUp(t, {
    patience: 1,
    sqlite: () => {
      if (hangs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20) // the other database’s turn comes after the timers’
      hangs = false
      return undefined
    }
  })
  s.put('.codex/auth.json', JSON.stringify({ OPENAI_API_KEY: token('key1') }))
  for (const name of ['state/openclaw.sqlite', 'agents/main/agent/openclaw-agent.sqlite']) s.put(`.openclaw/${name}`, '')
  t.strictSame(await s.look(), [])
  t.ok(s.files.fresh, 'the next one does not wait')
  await s.files.look()
  while (s.files.logins.length === 0) await new Promise(setImmediate)
  t.match(await s.look(), [['codex', '~/.codex/auth.json', 'key1']])
  t.ok(s.files.fresh)
})

t.test('a disk that hangs holds one thread at most, of the few by which upstreams are found', async t => {
  const s = await setUp(t)
  for (let i = 0; i < 20; i++) s.put(`.openclaw/agents/agent-${i}/agent/auth-profiles.json`, profiles(`n${i}`.padEnd(4, '_')))
  const looked = { over: false }
  let most = 0
  const looking = s.look().finally(() => { looked.over = true })
  while (!looked.over) {
    most = Math.max(most, process.getActiveResourcesInfo().filter(kind => kind === 'FSReqPromise').length)
    await new Promise(setImmediate)
  }
  t.equal((await looking).length, 20)
  t.equal(most, 1)
})

t.test('a database is opened only where all that is opened with it is a file, and once another thread has opened it', async t => {
  const opened: string[] = []
  class DatabaseSync {
    constructor (file: string) { opened.push(file) }
    prepare () { return { all: () => [{ json: profiles('row1') }] } }
    close (): void { /* nothing is open */ }
  }
  const s = await setUp(t, { sqlite: () => ({ DatabaseSync }) })
  s.put('.openclaw/state/openclaw.sqlite', '')
  execFileSync('mkfifo', [join(s.home, '.openclaw/state/openclaw.sqlite-wal')])
  t.strictSame(await s.look(), [])
  t.strictSame(opened, [], 'a pipe beside it would hold up everybody for ever')
  rmSync(join(s.home, '.openclaw/state/openclaw.sqlite-wal'))
  t.strictSame((await s.look()).map(([, , ending]) => ending), ['row1'])
})
