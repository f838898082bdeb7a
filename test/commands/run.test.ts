import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, watch, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname } from 'node:path'
import json5 from 'json5'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { keepBeside, writeBeside } from '../../src/commands/run/beside.ts'
import { planClaude } from '../../src/commands/run/claude.ts'
import { planFor } from '../../src/commands/run/clients.ts'
import { pastProxies } from '../../src/commands/run/environment.ts'
import { logFile, openLogFile, stateFolder } from '../../src/commands/run/log-file.ts'
import { forgetInDatabases } from '../../src/commands/run/openclaw/catalogs.ts'
import { planOpencode } from '../../src/commands/run/opencode.ts'
import { hasTerminal, isTerminalGone } from '../../src/commands/terminal.ts'
import { watchdog } from '../../src/commands/run/watchdog.ts'
import { inheritedSockets } from '../../src/commands/socket-activation.ts'
import { loadConfig } from '../../src/config/config.ts'
import { appears, commandLine, say, startProcess } from '../fixtures/program.ts'
import { jwt } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const ORIGIN = 'http://127.0.0.1:9'
const config = loadConfig()
const [V1, ROOT, CODEX] = [`${ORIGIN}/v1`, ORIGIN, `${ORIGIN}/backend-api/codex`]

/** What a client is given, and what is said of it. */
function planned (command: string, env: Record<string, string>, args: string[] = [], configuration = config) {
  const { upstreams, notes, point } = planFor(command, { env, args, config: configuration })
  return { ...point(ORIGIN), upstreams, notes }
}

t.test('a program gets the variables of the SDKs, and an upstream of its own stays behind us', async t => {
  const here = { OPENAI_BASE_URL: V1, OPENAI_API_BASE: V1, ANTHROPIC_BASE_URL: ROOT }
  t.strictSame(planned('node', {}), { upstreams: {}, notes: [], env: here })
  t.strictSame(planned('/usr/bin/python3', { OPENAI_BASE_URL: 'https://api.openai.com/v1', ANTHROPIC_BASE_URL: 'http://localhost:7257' }), { upstreams: {}, notes: [], env: here }, 'the usual ones and our own are ours')
  t.strictSame(planned('node', { OPENAI_API_BASE: 'https://router.example/api/v1/', ANTHROPIC_BASE_URL: 'https://gate.example/a' }).upstreams,
    { CODEX_SIDECAR_OPENAI_UPSTREAM: 'https://router.example/api/v1', CODEX_SIDECAR_ANTHROPIC_UPSTREAM: 'https://gate.example/a/v1' })
  t.strictSame(planned('node', { ANTHROPIC_BASE_URL: 'https://gate.example/v1' }).upstreams, { CODEX_SIDECAR_ANTHROPIC_UPSTREAM: 'https://gate.example/v1' }, 'with or without /v1')
  const odd = planned('node', { OPENAI_BASE_URL: 'https://user:secret@router.example/v1?key=1', ANTHROPIC_BASE_URL: 'nonsense' })
  t.strictSame(odd.env, {}, 'what can not be ours stays as it is')
  t.match(odd.notes, [/^OPENAI_BASE_URL can not/, /^ANTHROPIC_BASE_URL can not/])
  t.notMatch(odd.notes.join(), 'secret')
  const few = { ...config, routes: config.routes.filter(({ prefix }) => prefix === '/backend-api') }
  t.strictSame(planned('node', {}, [], few), { upstreams: {}, notes: [], env: {} }, 'no route, no variable')
})

t.test('where clients go by a proxy, they do not ask it for us', async t => {
  t.strictSame(pastProxies({ http_proxy: '' }), {})
  const all = 'localhost,127.0.0.1,[::1]'
  t.strictSame(pastProxies({ HTTPS_PROXY: 'http://p:1' }), { no_proxy: all, NO_PROXY: all })
  t.match(pastProxies({ ALL_PROXY: 'http://p:1', NO_PROXY: 'corp' }), { NO_PROXY: `corp,${all}` })
  t.match(pastProxies({ ALL_PROXY: 'http://p:1', no_proxy: '*' }), { no_proxy: '*' })
})

t.test('Codex gets its base URL by the kind of its login and by its provider', async t => {
  const dir = t.testdir({})
  const chatgpt = JSON.stringify({ tokens: { access_token: jwt({}) } })
  const apiKey = JSON.stringify({ OPENAI_API_KEY: 'sk-a' })
  const plan = (toml: string, auth: string, args: string[] = [], env = {}, configuration = config) => {
    writeFileSync(`${dir}/config.toml`, toml)
    writeFileSync(`${dir}/auth.json`, auth)
    return planned('codex', { CODEX_HOME: dir, ...env }, args, configuration)
  }
  const builtIn = (url: string) => ({ upstreams: {}, notes: [], args: ['-c', `openai_base_url="${url}"`] })
  t.strictSame(plan('', chatgpt), builtIn(CODEX))
  t.strictSame(plan('', apiKey), builtIn(V1))
  t.strictSame(plan('', chatgpt, [], { CODEX_API_KEY: 'sk-a' }), builtIn(V1), 'a key in the environment goes before the file')
  t.strictSame(plan('', '{}'), builtIn(CODEX), 'a login that is kept elsewhere')
  t.match(plan('', '{}', [], { OPENAI_API_KEY: 'sk-a' }), { ...builtIn(CODEX), notes: [/does not take OPENAI_API_KEY: set CODEX_API_KEY/] })
  for (const [auth, env] of [[chatgpt, {}], ['{}', { CODEX_API_KEY: 'sk-b' }]] as const) t.strictSame(plan('', auth, [], { OPENAI_API_KEY: 'sk-a', ...env }).notes, [])
  t.strictSame(plan('forced_login_method = "api"', '{}'), builtIn(V1))
  t.strictSame(plan('preferred_auth_method = "apikey"', '{}'), builtIn(V1))
  t.strictSame(plan('openai_base_url = "http://127.0.0.1:7257/backend-api/codex"', '{}'), builtIn(CODEX), 'what points to another of ours comes here for this run')
  t.strictSame(plan('openai_base_url = "https://gate.example/v1"', chatgpt), { ...builtIn(V1), upstreams: { CODEX_SIDECAR_OPENAI_UPSTREAM: 'https://gate.example/v1' } })
  t.match(plan('openai_base_url = "https://u:p@gate.example/v1"', chatgpt), { args: undefined, notes: [/can not be an upstream/] })
  t.match(plan('openai_base_url = ', chatgpt), { args: undefined, notes: [/config\.toml cannot be read/] })

  const own = '[model_providers.mine]\nbase_url = "https://api.openai.com/v1"\n[profiles.p]\nmodel_provider = "mine"\n[model_providers.login]\nrequires_openai_auth = true\n[model_providers."a.b"]\n'
  const mine = { upstreams: {}, notes: [], args: ['-c', `model_providers.mine.base_url="${V1}"`] }
  t.strictSame(plan(`model_provider = "mine"\n${own}`, chatgpt), mine)
  t.strictSame(plan(own, chatgpt), builtIn(CODEX))
  for (const args of [['-p', 'p'], ['exec', '--profile=p'], ['-c', 'model_provider="mine"'], ['--config=model_provider=mine']]) t.strictSame(plan(own, chatgpt, args), mine, args.join(' '))
  t.strictSame(plan(`profile = "p"\n${own}`, chatgpt), mine)
  t.match(plan(`model_provider = "login"\n${own}`, chatgpt), { args: ['-c', `model_providers.login.base_url="${CODEX}"`] })
  for (const [toml, args] of [['model_provider = "a.b"', []], ['model_provider = "ollama"', []], ['', ['--oss']]] as const) {
    t.match(plan(`${toml}\n${own}`, chatgpt, [...args]), { args: undefined, notes: [/goes past codex-sidecar: its provider is/] })
  }
  const few = { ...config, routes: config.routes.filter(({ prefix }) => prefix !== '/backend-api') }
  t.match(plan('', chatgpt, [], {}, few), { args: undefined, notes: [/has no route \/backend-api\/codex\//] })
})

t.test('Claude Code gets its variable, as settings where its own settings have it', async t => {
  const dir = t.testdir({ home: {}, project: { '.claude': {} } })
  const plan = (args: string[] = []) => {
    const { point, ...rest } = planClaude({ env: { CLAUDE_CONFIG_DIR: `${dir}/home` }, args, config }, `${dir}/project`)
    return { ...rest, ...point(ORIGIN) }
  }
  t.strictSame(plan(), { upstreams: {}, notes: [], env: { OPENAI_BASE_URL: V1, OPENAI_API_BASE: V1, ANTHROPIC_BASE_URL: ROOT } })
  t.match(planned('claude', { HOME: dir }), { env: { ANTHROPIC_BASE_URL: ROOT } })
  writeFileSync(`${dir}/home/settings.json`, '{ "env": { "ANTHROPIC_BASE_URL": "http://127.0.0.1:7257" } }')
  t.match(plan(), { upstreams: {}, env: { ANTHROPIC_BASE_URL: ROOT }, args: ['--settings', `{"env":{"ANTHROPIC_BASE_URL":"${ROOT}"}}`] })
  t.match(plan(['--settings', '{}']), { notes: [/--settings of your own/], env: undefined })
  writeFileSync(`${dir}/project/.claude/settings.local.json`, '{ "env": { "ANTHROPIC_BASE_URL": "https://gate.example" } }')
  t.match(plan(), { upstreams: { CODEX_SIDECAR_ANTHROPIC_UPSTREAM: 'https://gate.example/v1' }, args: ['--settings', `{"env":{"ANTHROPIC_BASE_URL":"${ROOT}"}}`] })
  writeFileSync(`${dir}/project/.claude/settings.local.json`, '{ "env": { "ANTHROPIC_BASE_URL": "https://gate.example?x=1" } }')
  t.match(plan(), { notes: [/can not/], args: [] })
})

t.test('opencode and kilo get a configuration in a variable, over what is in it', async t => {
  const dir = t.testdir({ opencode: {}, project: {} })
  const plan = (env: Record<string, string> = {}) => {
    const { point, notes } = planOpencode('opencode')({ env: { XDG_CONFIG_HOME: dir, ...env }, args: [], config }, `${dir}/project`)
    return { notes, content: JSON.parse(point(ORIGIN).env?.['OPENCODE_CONFIG_CONTENT'] ?? '') as unknown }
  }
  const options = { options: { baseURL: V1 } }
  t.strictSame(plan(), { notes: [], content: { provider: { openai: options, anthropic: options } } })
  t.strictSame(plan({ OPENCODE_CONFIG_CONTENT: '{ share: "disabled", provider: { openai: { npm: "x", options: { apiKey: "k" } } } }' }).content,
    { share: 'disabled', provider: { openai: { npm: 'x', options: { apiKey: 'k', baseURL: V1 } }, anthropic: options } })
  t.strictSame(plan({ OPENCODE_CONFIG_CONTENT: '{' }).content, { provider: { openai: options, anthropic: options } })
  writeFileSync(`${dir}/opencode/opencode.jsonc`, '{ "provider": { "openai": { "options": { "baseURL": "https://router.example/v1" } } } } // mine')
  t.match(plan(), { notes: [/provider openai goes past/], content: { provider: { anthropic: options } } })
  t.match(Object.keys(planned('C:\\npm\\kilo.cmd', { HOME: dir }).env ?? {}), ['KILO_CONFIG_CONTENT'])
})

/** A home of OpenClaw, and what `run` makes of it. */
function openclawHome (t: Test, files: Readonly<Record<string, string>>) {
  const home = mkdtempSync(`${tmpdir()}/codex-sidecar-openclaw-`) // a test may have several
  t.teardown(() => { rmSync(home, { recursive: true }) })
  mkdirSync(`${home}/.openclaw`)
  const file = `${home}/.openclaw/openclaw.json`
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(`${home}/.openclaw/${name}`), { recursive: true })
    writeFileSync(`${home}/.openclaw/${name}`, text)
  }
  const plan = (env: Record<string, string> = {}, args: string[] = [], command = 'openclaw') => planFor(command, { env: { HOME: home, PATH: '', ...env }, args, config }).point(ORIGIN)
  const providers = (...of: Parameters<typeof plan>): unknown => {
    const { env: { OPENCLAW_CONFIG_PATH: copy = '' } = {}, finish } = plan(...of)
    const content = json5.parse<{ models?: { providers?: object } }>(readFileSync(copy, 'utf8'))
    finish?.()
    return content.models?.providers
  }
  return { home, file, plan, providers }
}

const codexLogin = { baseUrl: `${ORIGIN}/backend-api/codex`, api: 'openai-chatgpt-responses', request: { allowPrivateNetwork: true } }
const codex2026 = { 'openai-codex': { baseUrl: `${ORIGIN}/backend-api`, api: 'openai-codex-responses', models: [] } }

t.test('OpenClaw gets a copy of its configuration beside its own, which stays as it is', async t => {
  const text = '\uFEFF// mine\n{\n  $include: "./base.json5", // the rest\n  agents: { $include: ["./a.json"] },\n}\n'
  const { home, file, plan } = openclawHome(t, { 'openclaw.json': text, 'base.json5': '{ gateway: { $include: "./nowhere.json" } }' })
  const { env, notes, finish } = plan()
  const copy = `${file}.codex-sidecar-run-${process.pid}`
  t.strictSame(env, { OPENCLAW_CONFIG_PATH: copy })
  t.equal(readFileSync(copy, 'utf8'), `// mine\n{\n  "models": { "providers": { "openai": { "baseUrl": "${ORIGIN}/backend-api/codex", "api": "openai-chatgpt-responses", "request": { "allowPrivateNetwork": true } } } },\n  $include: "./base.json5", // the rest\n  agents: { $include: ["./a.json"] },\n}\n`)
  t.equal(statSync(copy).mode & 0o777, 0o600)
  t.strictSame(notes, ['OpenClaw has a copy of ~/.openclaw/openclaw.json for this run: what it writes there is gone with it'])
  writeFileSync(`${copy}.bak`, '')
  mkdirSync(`${copy}.more`)
  t.strictSame(finish?.(), [])
  t.strictSame(readdirSync(`${home}/.openclaw`).sort(), ['base.json5', 'openclaw.json'])
  t.equal(readFileSync(file, 'utf8'), text)
  const again = plan()
  rmSync(`${home}/.openclaw`, { recursive: true })
  t.strictSame(again.finish?.(), [], 'OpenClaw may have been taken away meanwhile')
})

t.test('OpenClaw’s providers are pointed here by its generation, its login and what its includes say', async t => {
  const bin = t.testdir({ 'old.cmd': '', old: '', node_modules: { openclaw: { 'package.json': '{ "name": "openclaw", "version": "2026.4.9" }', 'openclaw.mjs': '' } }, other: { 'package.json': '{}', openclaw: '' } })
  symlinkSync('node_modules/openclaw/openclaw.mjs', `${bin}/openclaw`)
  const bare = openclawHome(t, {})
  t.strictSame(bare.providers(), { openai: codexLogin }, 'no configuration yet')
  t.strictSame(bare.providers({ PATH: [`${bin}/nowhere`, bin].join(delimiter) }), codex2026, 'by the package on the PATH')
  t.strictSame(bare.providers({}, [], `${bin}/openclaw`), codex2026)
  t.strictSame(bare.providers({ PATH: `${bin}/other` }), { openai: codexLogin }, 'a command that is no package')
  t.strictSame(bare.providers({ OPENAI_API_KEY: 'sk-a' }), { openai: { baseUrl: V1, api: 'openai-responses', models: [], request: { allowPrivateNetwork: true } } })
  t.match(bare.plan({ OPENAI_BASE_URL: 'https://gate.example/v1' }).notes, [/provider openai goes past/], 'a variable that it reads itself')

  const parts = openclawHome(t, {
    'openclaw.json': '{ models: { $include: "./parts/models.json" }, auth: { profiles: { a: { provider: "openai-codex" } } } }',
    'parts/models.json': '{ "$include": ["./more.json", "./openclaw.json"], "providers": { "openai": { "models": [1] } } }',
    'parts/more.json': '{ "providers": { "openai": { "baseUrl": "https://chatgpt.com/backend-api/codex", "api": "openai-chatgpt-responses", "models": [2] }, "anthropic": { "baseUrl": "https://gate.example", "api": "anthropic-messages" } } }',
    'parts/openclaw.json': '{ "$include": "./openclaw.json" }'
  })
  t.match(parts.plan().notes, [/provider anthropic goes past/, /copy/])
  t.strictSame(parts.providers({ OPENAI_API_KEY: 'sk-a' }), { openai: { baseUrl: `${ORIGIN}/backend-api/codex`, request: { allowPrivateNetwork: true } } }, 'beside the include, which its own keys go before')
  t.strictSame(openclawHome(t, { 'openclaw.json': '{ meta: { lastTouchedVersion: "2026.4.9" } }' }).providers(), codex2026)
  for (const args of [['--profile', 'x'], ['--profile=x']]) t.match(bare.plan({}, args).env, { OPENCLAW_CONFIG_PATH: /\.openclaw-x\/openclaw\.json\.codex/ })
  t.match(bare.plan({}, ['--dev']).env, { OPENCLAW_CONFIG_PATH: /\.openclaw-dev\// })
  t.match(bare.plan({ OPENCLAW_STATE_DIR: `${bare.home}/state` }, ['--dev']).env, { OPENCLAW_CONFIG_PATH: /\/state\// })
  const few = { ...config, routes: config.routes.filter(({ prefix }) => prefix === '/v1') }
  const { env: { OPENCLAW_CONFIG_PATH: copy = '' } = {} } = planFor('openclaw', { env: { HOME: bare.home }, args: [], config: few }).point(ORIGIN)
  t.equal(readFileSync(copy, 'utf8'), '')
})

t.test('where OpenClaw’s configuration cannot be copied it goes past, and says why without a word of it', async t => {
  t.strictSame(openclawHome(t, { 'openclaw.json': '{ secret' }).plan(), { notes: ['OpenClaw goes past codex-sidecar: ~/.openclaw/openclaw.json cannot be copied (it is not valid)'] })
  const { home, plan } = openclawHome(t, {})
  writeFileSync(`${home}/file`, '')
  t.match(plan({ OPENCLAW_CONFIG_PATH: `${home}/file/openclaw.json` }), { env: undefined, notes: [/cannot be copied \(E\w+\)/] })
})

t.test('OpenClaw’s catalogs of models are as they were, once nobody listens here any more', async t => {
  const { home, plan } = openclawHome(t, { 'openclaw.json': '{}', 'agents/main/agent/models.json': '{"before":1}', 'agents/idle/agent/models.json': '{"idle":1}', 'agents/new/agent/a': '', 'agents/none/a': '' })
  const catalog = (name: string): string => `${home}/.openclaw/agents/${name}/agent/models.json`
  const { finish } = plan()
  for (const name of ['main', 'new']) writeFileSync(catalog(name), `{ "baseUrl": "${ORIGIN}/v1" }`)
  mkdirSync(dirname(catalog('later')), { recursive: true })
  writeFileSync(catalog('later'), `{ "baseUrl": "${ORIGIN}/v1" }`)
  writeFileSync(catalog('idle'), '{"idle":2}')
  t.strictSame(finish?.(), [])
  t.equal(readFileSync(catalog('main'), 'utf8'), '{"before":1}')
  t.equal(readFileSync(catalog('idle'), 'utf8'), '{"idle":2}', 'what does not name us is its own business')
  t.strictSame(['main', 'idle', 'new', 'later'].map(name => readdirSync(dirname(catalog(name)))), [['models.json'], ['models.json'], ['a'], []])

  const asked: unknown[] = []
  class DatabaseSync {
    constructor (path: string, options: object) { asked.push(path, options) }
    prepare (sql: string) { return { all: () => { asked.push(sql); return [] } } }
    close (): void { asked.push('closed') }
  }
  const database = `${dirname(catalog('main'))}/openclaw-agent.sqlite`
  forgetInDatabases([catalog('main')], ORIGIN, () => undefined)
  writeFileSync(database, 'no database')
  forgetInDatabases([catalog('main')], ORIGIN, () => ({ DatabaseSync }))
  t.strictSame(asked, [database, { readOnly: false }, `DELETE FROM cache_entries WHERE scope = 'plugin-model-catalog-v1' AND instr(value_json, '${ORIGIN}/') > 0`, 'closed'])
  t.throws(() => { forgetInDatabases([catalog('main')], ORIGIN, () => undefined) }, /no SQLite/)
  t.match(plan().finish?.(), [/may still name http:.*openclaw doctor --fix/])
})

t.test('what a machine that went down has left is seen to by the next run', async t => {
  const dir = t.testdir({ a: 'now', b: 'with us', 'b.codex-sidecar-run-999999999': 'before', 'a.codex-sidecar-run-999999999': '', 'a.codex-sidecar-run-999999999.bak': '', 'a.codex-sidecar-run-1': '', 'a.codex-sidecar-run-5.bak': '' })
  const path = writeBeside(`${dir}/a`, 'new', 5)
  t.equal(path, `${dir}/a.codex-sidecar-run-5`)
  keepBeside(`${dir}/b`, 6)
  t.equal(readFileSync(`${dir}/b`, 'utf8'), 'before')
  keepBeside(`${dir}/c`, 6)
  t.strictSame(readdirSync(dir).sort(), ['a', 'a.codex-sidecar-run-1', 'a.codex-sidecar-run-5', 'b', 'b.codex-sidecar-run-6'], 'that of a process that lives stays')
})

t.test('the log lies where the system has such files, begins anew when it is large, and is its owner’s', async t => {
  t.equal(stateFolder({ LOCALAPPDATA: '/l' }, 'win32'), '/l/codex-sidecar')
  t.match(stateFolder({ USERPROFILE: '/u' }, 'win32'), /^\/u.AppData.Local.codex-sidecar$/)
  t.equal(stateFolder({ HOME: '/h' }, 'darwin'), '/h/Library/Logs/codex-sidecar')
  t.equal(stateFolder({ HOME: '/h' }, 'linux'), '/h/.local/state/codex-sidecar')
  const file = logFile({ XDG_STATE_HOME: t.testdir({}) })
  for (const run of [1, 2]) openLogFile(file, run).write('{"msg":"a"}\n')
  t.equal(readFileSync(file, 'utf8'), '{"run":1,"msg":"a"}\n{"run":2,"msg":"a"}\n')
  t.equal(statSync(file).mode & 0o777, 0o600)
  truncateSync(file, (10 << 20) + 1)
  openLogFile(file, 3).write('{"msg":"b"}\n')
  t.equal(readFileSync(file, 'utf8'), '{"run":3,"msg":"b"}\n')
  t.ok(existsSync(`${file}.1`))
})

t.test('Windows has its own ways: a console for all, and children that end by themselves', async t => {
  t.ok(hasTerminal('win32'))
  t.ok(hasTerminal('linux', '/dev/null'))
  t.notOk(hasTerminal('linux', '/nowhere/tty'))
  t.ok(isTerminalGone(false, 'win32'), 'a hangup there is a closed console')
  t.strictSame([['/dev/null', true], ['/nowhere/tty', true], ['/nowhere/tty', false]].map(([path, had]) => isTerminalGone(had as boolean, 'linux', path as string)), [false, true, false])
  const nobody = watchdog(undefined, 'win32')
  nobody.watch(1)
  nobody.dismiss()

  const npm = { 'openclaw.cmd': '', openclaw: '#!/bin/sh\n', node_modules: { openclaw: { 'package.json': '{ "name": "openclaw", "version": "2026.4.9" }' } } }
  const dir = t.testdir({ npm, '.codex': { 'config.toml': 'openai_base_url = "https://gate.example/v1"\r\n' }, '.claude': { 'settings.json': '{\r\n "env": { "ANTHROPIC_BASE_URL": "http://127.0.0.1:7257" }\r\n}' } })
  const env = { USERPROFILE: dir, PATH: `${dir}/npm` }
  t.match(planned('C:\\Users\\me\\AppData\\Roaming\\npm\\codex.cmd', env).upstreams, { CODEX_SIDECAR_OPENAI_UPSTREAM: 'https://gate.example/v1' }, 'a shim of npm’s, and the user’s folder by its name there')
  t.match(planned('CLAUDE.EXE'.toLowerCase(), env).args, ['--settings'])
  const { env: { OPENCLAW_CONFIG_PATH: copy = '' } = {}, finish } = planned('openclaw.ps1', { ...env, OPENCLAW_STATE_DIR: `${dir}/state` })
  finish?.()
  t.match(copy, /state.openclaw\.json\.codex-sidecar-run-/)
  const { env: { OPENCLAW_CONFIG_PATH: other = '' } = {} } = planned('openclaw', { ...env, OPENCLAW_STATE_DIR: `${dir}/state` })
  t.match(readFileSync(other, 'utf8'), '"openai-codex"', 'the package beside the shim')
})

/** `codex-sidecar run -- COMMAND`, without a terminal, with a home of its own. */
function runs (t: Test, command: readonly string[]) {
  const none = Object.fromEntries(['OPENAI_BASE_URL', 'OPENAI_API_BASE', 'ANTHROPIC_BASE_URL'].map(name => [name, undefined]))
  return startProcess(t, commandLine(['run', '--', ...command]), { detached: true, env: { ...none, XDG_STATE_HOME: t.testdir({}) } })
}

t.test('sockets of the system are those that it means for this process', async t => {
  t.strictSame(inheritedSockets({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), [3, 4])
  for (const env of [{}, { LISTEN_PID: '8', LISTEN_FDS: '2' }, { LISTEN_PID: '7' }, { LISTEN_PID: '7', LISTEN_FDS: '0' }, { LISTEN_PID: '7', LISTEN_FDS: '-1' }]) t.strictSame(inheritedSockets(env, 7), [])
})

/** Settles when a file holds a text. */
async function holds (file: string, text: string): Promise<void> {
  await appears(dirname(file))
  await appears(file)
  const watcher = watch(file)
  try {
    while (!readFileSync(file, 'utf8').includes(text)) await once(watcher, 'change')
  } finally {
    watcher.close()
  }
}

/** Whether nobody listens. */
const isFree = (port: number): Promise<boolean> => new Promise(resolve => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(false) })
  socket.once('error', () => { resolve(true) })
})

const portIn = (text: string): number => Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1])

t.test('two at once: each client has its own port, its own end and its own lines in the log, which is named once', async t => {
  const dir = t.testdir({})
  const script = 'echo "$OPENAI_BASE_URL $ANTHROPIC_BASE_URL" >"$1.new" && mv "$1.new" "$1"; while [ ! -e "$1.go" ]; do sleep 0.1; done; exit 7'
  const env = { ...process.env as Record<string, string>, HOME: dir, XDG_STATE_HOME: `${dir}/state`, OPENAI_BASE_URL: '', OPENAI_API_BASE: '', ANTHROPIC_BASE_URL: '' }
  const both = ['one', 'two'].map(name => ({ file: `${dir}/${name}`, ended: say(['run', '--', 'sh', '-c', script, 'sh', `${dir}/${name}`], env) }))
  await Promise.all(both.map(({ file }) => appears(file)))
  const [one = 0, two = 0] = both.map(({ file }) => portIn(readFileSync(file, 'utf8')))
  t.not(one, two)
  for (const { file, ended } of both) {
    writeFileSync(`${file}.go`, '')
    t.strictSame(await ended, { code: 7, out: '', err: 'codex-sidecar: log in ~/state/codex-sidecar/run.log\n' })
    const port = portIn(readFileSync(file, 'utf8'))
    t.equal(readFileSync(file, 'utf8'), `http://127.0.0.1:${port}/v1 http://127.0.0.1:${port}\n`)
    t.match(readFileSync(logFile(env), 'utf8'), new RegExp(`^\\{"run":\\d+,.*"command":"sh","msg":"listening on http://127.0.0.1:${port}"`, 'm'))
    t.ok(await isFree(port))
  }
})

t.test('requests go through it, by either base URL, and what still runs is answered before it ends', async t => {
  let finish: (() => void) | undefined
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url !== '/v1/slow') return json(response, url === '/v1/messages' ? 200 : 404, {})
    response.writeHead(200).write('a')
    finish = () => { response.end('b') }
  })
  const dir = t.testdir({
    said: '',
    'slow.mjs': `
      import { appendFileSync } from 'node:fs'
      const answer = await fetch(process.env.OPENAI_BASE_URL + '/slow', { headers: { authorization: 'Bearer good' } })
      process.send('begun')
      process.disconnect()
      appendFileSync(process.argv[2], 'slow ' + await answer.text())`,
    'client.mjs': `
      import { fork } from 'node:child_process'
      import { appendFileSync } from 'node:fs'
      const [,, file, slow] = process.argv
      const ask = async (url, headers) => { appendFileSync(file, new URL(url).pathname + ' ' + (await fetch(url, { headers })).status + '\\n') }
      const { OPENAI_BASE_URL, ANTHROPIC_BASE_URL } = process.env
      for (const path of ['/v1/messages', '/messages']) await ask(ANTHROPIC_BASE_URL + path, { 'x-api-key': 'good' })
      await ask(OPENAI_BASE_URL + '/models', {})
      fork(slow, [file], { execArgv: [] }).once('message', () => process.exit(3))`
  })
  const env = { ...process.env as Record<string, string>, XDG_STATE_HOME: dir, OPENAI_BASE_URL: `${upstream.url}/v1`, ANTHROPIC_BASE_URL: upstream.url, CODEX_SIDECAR_PROBE: 'off', NODE_OPTIONS: '' }
  const ended = say(['run', '--', process.execPath, `${dir}/client.mjs`, `${dir}/said`, `${dir}/slow.mjs`], env)
  await holds(`${dir}/codex-sidecar/run.log`, 'draining')
  finish?.()
  t.match(await ended, { code: 3 })
  await holds(`${dir}/said`, 'slow ab')
  t.equal(readFileSync(`${dir}/said`, 'utf8'), '/v1/messages 200\n/messages 200\n/v1/models 401\nslow ab')
})

const listening = `
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGTSTP', 'SIGCONT']) process.on(signal, () => console.log(signal))
  process.on('SIGUSR2', () => process.exit(5))
  setInterval(() => {}, 1000)
  console.log('up', process.pid, process.env.OPENAI_BASE_URL)`

const pidIn = (text: string): number => Number(/up (\d+)/.exec(text)?.[1])

t.test('signals reach the client, which decides what they mean', async t => {
  const program = runs(t, [process.execPath, '-e', listening])
  await program.printed('up')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGTSTP', 'SIGCONT'] as const) {
    program.child.kill(signal)
    await program.printed(signal)
  }
  program.child.kill('SIGUSR2')
  t.strictSame(await program.exit, [5, null])
})

t.test('a client that a signal ends, ends us by the same one; by any other with the exit code of a shell', async t => {
  const program = runs(t, [process.execPath, '-e', 'setInterval(() => {}, 1000); console.log("up", process.pid, process.env.OPENAI_BASE_URL)'])
  await program.printed('up')
  process.kill(pidIn(program.out), 'SIGTERM')
  const [code, signal] = await program.exit
  t.ok(signal === 'SIGTERM' || code === 143, 'tap listens for the signal too, and may let it exit first')
  t.ok(await isFree(portIn(program.out)))
  t.match(await say(['run', '--log-level=silent', '--', 'sh', '-c', 'kill -9 $$'], process.env as Record<string, string>), { code: 137, err: '' })
})

t.test('kill -9 of us ends the client too, and leaves no process and no port', async t => {
  const program = runs(t, [process.execPath, '-e', listening.replace('console.log(signal))', 'console.log(signal) || signal === "SIGHUP" && process.exit())')])
  await program.printed('up')
  const closed = once(program.child, 'close') // when nobody has its streams any more
  program.child.kill('SIGKILL')
  await closed
  t.match(program.out, 'SIGHUP')
  t.ok(await isFree(portIn(program.out)))
})

t.test('kill -9 of us takes OpenClaw’s copy away too, and puts its catalog back', { skip: process.platform === 'win32' && 'Windows has no such signal' }, async t => {
  const home = t.testdir({
    '.openclaw': { 'openclaw.json': '{}', agents: { main: { agent: { 'models.json': 'before' } }, new: { agent: {} } } },
    openclaw: `#!/bin/sh\necho "$OPENCLAW_CONFIG_PATH"\nsed 's/.*"baseUrl": "\\(.[^"]*\\)".*/\\1/' "$OPENCLAW_CONFIG_PATH" | tee "$HOME/.openclaw/agents/main/agent/models.json" >"$HOME/.openclaw/agents/new/agent/models.json"\n: >"$OPENCLAW_CONFIG_PATH.bak"\necho up\nexec sleep 1000\n`
  })
  chmodSync(`${home}/openclaw`, 0o700)
  const state = `${home}/.openclaw`
  const program = startProcess(t, commandLine(['run', '--', `${home}/openclaw`]), { detached: true, env: { HOME: home, XDG_STATE_HOME: home, OPENCLAW_HOME: '', OPENCLAW_STATE_DIR: '', OPENCLAW_CONFIG_PATH: '' } })
  await program.printed(/^up$/m) // not a folder's name
  const [origin = ''] = /^http:\/\/127\.0\.0\.1:\d+(?=\/backend-api\/codex$)/m.exec(readFileSync(`${state}/agents/main/agent/models.json`, 'utf8')) ?? []
  await request(`${origin}/livez`) // by now it has told who is to be watched over
  t.equal(readdirSync(state).length, 4)
  const watcher = watch(`${state}/agents/new/agent`)
  program.child.kill('SIGKILL')
  while (readdirSync(`${state}/agents/new/agent`).length > 0) await once(watcher, 'change')
  watcher.close()
  t.equal(readFileSync(`${state}/agents/main/agent/models.json`, 'utf8'), 'before')
  t.strictSame([readdirSync(state).sort(), readdirSync(`${state}/agents/main/agent`)], [['agents', 'openclaw.json'], ['models.json']])
})

t.test('in a terminal its keys reach the client once, by the terminal itself', { skip: !existsSync('/usr/bin/script') && 'needs script(1)' }, async t => {
  const home = t.testdir({ 'client.mjs': listening.replace('SIGUSR2', 'SIGQUIT') })
  const quoted = commandLine(['run', '--', process.execPath, `${home}/client.mjs`]).map(word => `'${word}'`).join(' ')
  const program = startProcess(t, ['script', '-qfec', `exec ${quoted}`, '/dev/null'], { input: true, detached: true, env: { XDG_STATE_HOME: home, SHELL: '/bin/sh' } })
  await program.printed(/up \d+/)
  for (const times of [1, 2]) {
    program.child.stdin?.write('\x03')
    await program.printed(new RegExp(`(?:SIGINT[^]*){${times}}`))
  }
  program.child.stdin?.write('\x1c')
  t.strictSame(await program.exit, [5, null])
  t.equal(program.out.match(/SIGINT/g)?.length, 2)
})

t.test('what can not be run says why, with a shell’s exit code', async t => {
  const home = t.testdir({ script: '', file: '' })
  chmodSync(`${home}/script`, 0o600)
  const env = { HOME: home, XDG_STATE_HOME: home, PATH: process.env['PATH'] ?? '' }
  t.match(await say(['run', '--', 'no-such-client'], env), { code: 127, err: /log in .*\ncodex-sidecar: cannot start no-such-client \(ENOENT\): it is not on the PATH\n$/ })
  t.match(await say(['run', '--', `${home}/script`], { ...env, XDG_STATE_HOME: `${home}/file` }), { code: 126, err: /no log, since .*run\.log cannot be written \(E\w+\)\ncodex-sidecar: cannot start .*script \(EACCES\)\n$/ })
  t.match(await say(['run', '--log-level=silent', '--server-info', `${home}/info`, '--', home], env), { code: 126, err: /^codex-sidecar: cannot start/ })
  writeFileSync(`${home}/orphan`, '#!/nowhere/interpreter\n', { mode: 0o700 })
  t.match(await say(['run', '--log-level=silent', '--', `${home}/orphan`], env), { code: 127, err: /\(ENOENT\): the program that its first line names is not there\n$/ })
  t.match(await say(['run', '--log-level=silent', '--', `${home}/none`], env), { code: 127, err: /\(ENOENT\): there is no such file\n$/ })
  t.match(await say(['run', '--'], env), { code: 2, err: /needs the command of a client/ })
  const { home: other } = openclawHome(t, { 'openclaw.json': '{}', 'agents/main/agent/models.json': '{}', 'agents/main/agent/openclaw-agent.sqlite': 'no database' })
  t.match(await say(['run', '--', 'openclaw'], { HOME: other, XDG_STATE_HOME: home, PATH: '' }), { code: 127, err: /catalogs of models may still name/ }, 'and what it could not put back')
  t.match(await say(['run', '--colour', 'red', '--', 'true'], env), { code: 2, err: /--colour: no such flag/ })
  t.match(await say(['run', '--host=nobody.invalid', '--', 'true'], env), { code: 1, err: /cannot listen on nobody\.invalid:0 \(E\w+\)/ })
  t.match(await say(['run', 'codex'], env), { code: 2, err: /perhaps codex-sidecar run -- codex;/ })
  t.match(await say(['ensure', 'codex', 'exec'], env), { code: 2, err: /unknown command "ensure", perhaps codex-sidecar ensure -- codex exec;/ })
  t.match(await say(['check', '--', 'codex'], env), { code: 2, err: /unknown command "check --"/ })
  t.match(await say(['run', '--', 'codex', '--version'], { ...env, CODEX_HOME: home, PATH: '/nowhere', OPENAI_BASE_URL: 'x' }), { code: 127 })
})

t.test('it drains and ends when its terminal is closed', { skip: !existsSync('/usr/bin/script') && 'needs script(1)' }, async t => {
  const dir = t.testdir({})
  const quoted = commandLine(['--port=0', '--server-info', `${dir}/info`]).map(word => `'${word}'`).join(' ')
  const terminal = startProcess(t, ['script', '-qfec', `exec ${quoted}`, '/dev/null'], { input: true, detached: true, env: { SHELL: '/bin/sh' } })
  await appears(`${dir}/info`)
  const { pid, port } = JSON.parse(readFileSync(`${dir}/info`, 'utf8')) as { pid: number, port: number }
  t.teardown(() => { try { process.kill(pid, 'SIGKILL') } catch { /* it has ended */ } })
  const watcher = watch(dir)
  terminal.child.kill('SIGKILL')
  while (existsSync(`${dir}/info`)) await once(watcher, 'change')
  watcher.close()
  t.ok(await isFree(port))
})
