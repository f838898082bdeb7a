import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import t from 'tap'
import { commandSqlite, ownSqlite, readRow, type Sqlite } from '../../src/logins/sqlite.ts'
import { startProcess } from '../fixtures/program.ts'
import { jwt } from '../fixtures/token.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'
import { installOpenClaw, OPENCLAW } from './openclaw/installation.ts'
import { endProcessesOf, processesOf } from './processes.ts'
import { GOOD, startProvider, TEXT } from './provider.ts'

// `codex-sidecar run -- openclaw agent --local …` with the real packages, in a home of their own, with nothing but loopback
// to reach: its configuration has includes, comments and no word of us. It plays the built program (npm run build).

t.setTimeout(1_800_000) // OpenClaw takes minutes on a busy machine

const program = join(import.meta.dirname, '..', '..', 'dist', 'main.js')
const quiet = { gateway: { mode: 'local' }, update: { checkOnStart: false }, discovery: { mdns: { mode: 'off' } }, cron: { enabled: false }, plugins: { allow: ['openai'] } }

for (const version of OPENCLAW) {
  t.test(version, async t => {
    const { node, program: openclaw } = await installOpenClaw(version)
    const home = mkdtempSync(join(tmpdir(), 'codex-sidecar-openclaw-run-'))
    t.teardown(() => {
      endProcessesOf(home)
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    })
    const old = version.startsWith('2026.4.')
    const [state, login, provider] = [join(home, '.openclaw'), jwt(), old ? 'openai-codex' : 'openai']
    const put = (name: string, content: string): void => {
      mkdirSync(dirname(join(state, name)), { recursive: true })
      writeFileSync(join(state, name), content, { mode: 0o600 })
    }
    const own = '// mine\n{\n  $include: "./parts/base.json5",\n  agents: { $include: ["./parts/agents.json"] }, // more\n}\n'
    put('openclaw.json', own)
    put('parts/base.json5', JSON.stringify(quiet))
    put('parts/agents.json', JSON.stringify({ defaults: { ...old ? {} : { utilityModel: '' }, workspace: join(home, 'workspace'), skipBootstrap: true, heartbeat: { every: '0m' }, model: { primary: `${provider}/gpt-5.4` }, models: { [`${provider}/gpt-5.4`]: {} } } }))
    if (old) put('agents/main/agent/auth-profiles.json', JSON.stringify({ version: 1, profiles: { 'openai-codex:default': { type: 'token', provider, token: login } } }))
    mkdirSync(join(home, 'workspace'))
    const upstream = await startProvider(t, { takes: token => token === login || token === GOOD })
    const trap = await startRawUpstream(t, socket => socket.destroy())
    const proxies = Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map(name => [name, trap.url]))
    const none = Object.fromEntries(Object.keys(process.env).map(name => [name, undefined]))
    const run = startProcess(t, [process.execPath, program, 'run', '--', 'openclaw', 'agent', '--local', '--agent', 'main', '--message', 'Say hello'], {
      detached: true,
      env: {
        ...none, ...proxies, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost', NODE_USE_ENV_PROXY: '1',
        PATH: [dirname(node), join(dirname(dirname(openclaw)), '.bin'), process.env['PATH']].join(delimiter), HOME: home, TMPDIR: home,
        ...old ? {} : { OPENAI_API_KEY: GOOD }, OPENCLAW_NO_RESPAWN: '1', OPENCLAW_DISABLE_UPDATE_CHECK: '1', AWS_EC2_METADATA_DISABLED: 'true',
        CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api`, CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1`
      }
    })
    const [code] = await run.exit
    t.comment(run.out, run.err)
    t.equal(code, 0)
    t.match(run.out, TEXT)
    t.match(run.err, /^codex-sidecar: OpenClaw has a copy of ~\/\.openclaw\/openclaw\.json for this run[^\n]*\ncodex-sidecar: log in/)
    t.match(readFileSync(join(home, '.local/state/codex-sidecar/run.log'), 'utf8'), old ? '"path":"/backend-api/codex/responses"' : '"path":"/v1/responses"')
    t.equal(readFileSync(join(state, 'openclaw.json'), 'utf8'), own)
    t.strictSame(readdirSync(state).filter(name => name.startsWith('openclaw.json')), ['openclaw.json'])
    const sqlite = ownSqlite() ?? commandSqlite(process.env)
    const catalogs = readdirSync(join(state, 'agents'), { recursive: true, encoding: 'utf8' }).filter(name => /models\.json|openclaw-agent\.sqlite$/.test(name)).map(name => join(state, 'agents', name))
    const texts = catalogs.flatMap(file => file.endsWith('sqlite') ? readRow(sqlite as Sqlite, file, 'SELECT value_json AS json FROM cache_entries') : readFileSync(file, 'utf8'))
    t.strictSame(texts.filter(text => text.includes('http://127.0.0.1')), [], 'nothing of ours in its catalogs')
    t.strictSame(processesOf(home), [])
  })
}
