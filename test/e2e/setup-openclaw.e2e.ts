import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import t from 'tap'
import { commandSqlite, ownSqlite, readRow, type Sqlite } from '../../src/logins/sqlite.ts'
import { freePort } from '../fixtures/free-port.ts'
import { appears, startProcess } from '../fixtures/program.ts'
import { jwt } from '../fixtures/token.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'
import { installOpenClaw, OPENCLAW } from './openclaw/installation.ts'
import { endProcessesOf } from './processes.ts'
import { GOOD, startProvider, TEXT } from './provider.ts'

// `codex-sidecar setup openclaw --write`, a turn, `--undo`, and a turn without us, with the real packages in a home of their own:
// nothing of OpenClaw knows our address any more. It plays the built program (npm run build).

t.setTimeout(1_800_000) // OpenClaw takes minutes on a busy machine

const program = join(import.meta.dirname, '..', '..', 'dist', 'main.js')
const quiet = { gateway: { mode: 'local' }, update: { checkOnStart: false }, discovery: { mdns: { mode: 'off' } }, cron: { enabled: false }, plugins: { allow: ['openai'] } }

for (const version of OPENCLAW) {
  t.test(version, async t => {
    const { node, program: openclaw } = await installOpenClaw(version)
    const home = mkdtempSync(join(tmpdir(), 'codex-sidecar-openclaw-undo-'))
    t.teardown(() => {
      endProcessesOf(home)
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    })
    const old = version.startsWith('2026.4.')
    const [state, login, provider, port] = [join(home, '.openclaw'), jwt(), old ? 'openai-codex' : 'openai', await freePort()]
    const agent = join(state, 'agents', 'main', 'agent')
    for (const folder of [agent, join(home, 'workspace')]) mkdirSync(folder, { recursive: true })
    const file = join(state, 'openclaw.json')
    writeFileSync(file, JSON.stringify({ ...old ? { meta: { lastTouchedVersion: version } } : { auth: { profiles: { 'openai:default': { provider: 'openai', mode: 'api_key' } } } }, ...quiet, agents: { defaults: { ...old ? {} : { utilityModel: '' }, workspace: join(home, 'workspace'), skipBootstrap: true, heartbeat: { every: '0m' }, model: { primary: `${provider}/gpt-5.4` }, models: { [`${provider}/gpt-5.4`]: {} } } } }, null, 2), { mode: 0o600 })
    if (old) writeFileSync(join(agent, 'auth-profiles.json'), JSON.stringify({ version: 1, profiles: { 'openai-codex:default': { type: 'token', provider, token: login } } }), { mode: 0o600 })
    const upstream = await startProvider(t, { takes: token => token === login || token === GOOD })
    const trap = await startRawUpstream(t, socket => socket.destroy())
    const proxies = Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map(name => [name, trap.url]))
    const none = Object.fromEntries(Object.keys(process.env).map(name => [name, undefined]))
    const env = {
      ...none, ...proxies, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost', NODE_USE_ENV_PROXY: '1',
      PATH: [dirname(node), join(dirname(dirname(openclaw)), '.bin'), process.env['PATH']].join(delimiter), HOME: home, TMPDIR: home,
      ...old ? {} : { OPENAI_API_KEY: GOOD }, OPENCLAW_NO_RESPAWN: '1', OPENCLAW_DISABLE_UPDATE_CHECK: '1', AWS_EC2_METADATA_DISABLED: 'true',
      CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api`, CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1`
    }
    const ours = (...args: string[]) => startProcess(t, [process.execPath, program, ...args, `--port=${port}`], { env })
    const turn = () => startProcess(t, ['openclaw', 'agent', '--local', '--agent', 'main', '--message', 'Say hello', '--timeout', '60'], { detached: true, env })
    /** What of its files names our address, its databases by their rows. */
    const naming = (): string[] => {
      const sqlite = (ownSqlite() ?? commandSqlite(process.env)) as Sqlite
      const names = (content: string): boolean => content.includes(`127.0.0.1:${port}`)
      return readdirSync(state, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name)).flatMap(path => {
        const short = path.slice(state.length + 1)
        if (/openclaw\.json\.bak|\.sqlite-(?:wal|shm)$|\.log$/.test(path)) return [] // its own copies of what was
        if (!path.endsWith('.sqlite')) return names(readFileSync(path, 'latin1')) ? [short] : []
        return readRow(sqlite, path, 'SELECT name AS json FROM sqlite_master WHERE type = \'table\'')
          .flatMap(table => rows(sqlite, path, table).map(row => JSON.stringify(row)).filter(names).map(row => `${short} ${table} ${row.slice(0, 300)}`))
      })
    }
    const before = readFileSync(file, 'utf8')
    const running = ours('--server-info', join(home, 'info'))
    await appears(join(home, 'info'))
    t.strictSame(await ours('setup', 'openclaw', '--write', '--yes').exit, [0, null])
    const first = turn()
    await first.exit
    t.match(first.out, TEXT, first.err)
    t.comment('while it is written:', naming())
    const undo = ours('setup', 'openclaw', '--undo', '--yes')
    t.strictSame(await undo.exit, [0, null], undo.err)
    const inFiles = (): string[] => naming().filter(place => !place.includes('.sqlite '))
    t.strictSame(inFiles(), [], 'no file names us')
    t.comment('rows that do:', naming())
    if (readdirSync(state).every(name => !name.startsWith('openclaw.json.bak'))) t.equal(readFileSync(file, 'utf8'), before) // else OpenClaw has written it, too
    running.child.kill('SIGTERM')
    await running.exit

    let knocks = 0
    const nobody = createServer(socket => { knocks++; socket.destroy() }).listen(port, '127.0.0.1')
    t.teardown(() => { nobody.close() })
    const proxied = trap.connections
    await turn().exit
    t.equal(knocks, 0, 'nobody comes to where we were')
    t.ok(trap.connections > proxied, 'it goes its own way')
    t.strictSame(inFiles(), [])
  })
}

/** All of a table. */
function rows ({ DatabaseSync }: Sqlite, path: string, table: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database.prepare(`SELECT * FROM "${table}"`).all()
  } finally {
    database.close()
  }
}
