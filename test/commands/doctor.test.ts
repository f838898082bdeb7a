import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import initSqlJs from 'sql.js'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { run } from '../../src/cli.ts'
import type { Finding } from '../../src/commands/doctor/finding.ts'
import { homeOf } from '../../src/config/home.ts'
import { codexLogin } from '../../src/commands/doctor/logins/codex.ts'
import { openclawLogins } from '../../src/commands/doctor/logins/openclaw.ts'
import { commandSqlite, ownSqlite, readRow, type Sqlite } from '../../src/logins/sqlite.ts'
import { troubleOf } from '../../src/commands/doctor/network/trouble.ts'
import { interception } from '../../src/commands/doctor/network/upstream.ts'
import { ownOrigin } from '../../src/commands/own-address.ts'
import { loadConfig } from '../../src/config/config.ts'
import type { Route } from '../../src/config/options.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { commandLine } from '../fixtures/program.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, jwt } from '../fixtures/token.ts'
import { json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

/** Stands in every login: no line may show it. */
const SECRET = 'never-to-be-seen'
const PATIENCE = 400

/** Folders in folders, as deep as OpenClaw's go. */
type Folder<Inner = never> = Record<string, string | Inner>
type Home = Folder<Folder<Folder<Folder<Folder>>>>

interface Case {
  /** The home folder's files. */
  home?: Home
  env?: Record<string, string>
  flags?: string[]
  /** Port of the sidecar; a free one unless told. */
  port?: number
  /** Upstream of all three routes; one that answers unless told. */
  upstream?: string
  /** Further options of the configuration file. */
  options?: object
  /** Files beside the home folder, whose place is written as FOLDER in options and variables. */
  files?: Record<string, string | Record<string, string>>
}

/** A port of this machine on which nobody listens. */
async function freePort (): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function command (args: string[], env: Record<string, string>) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, { env, stdin: process.stdin, stdout: { write: text => out.push(text) }, stderr: { write: text => err.push(text) } })
  return { code, out: out.join(''), err: err.join('') }
}

/** The answer of an upstream to anyone without a credential. */
const refuse = (date?: Date) => (_request: unknown, response: { writeHead: (status: number, headers: Record<string, string>) => { end: () => void } }): void => {
  response.writeHead(401, date === undefined ? {} : { date: date.toUTCString() }).end()
}

/** Runs the doctor on a throw-away home, and makes sure that it changes nothing in it and shows no secret. */
async function examine (t: Test, { home = {}, env = {}, flags = [], port, upstream, options, files: beside = {} }: Case = {}) {
  const folder = t.testdir({ home, ...beside })
  const place = (text: string): string => text.replaceAll('FOLDER', folder)
  writeFileSync(join(folder, 'options.json'), place(JSON.stringify({ times: { connect: PATIENCE }, ...options })))
  const to = upstream ?? (await startUpstream(t, refuse())).url
  const variables = {
    HOME: join(folder, 'home'),
    CODEX_SIDECAR_CONFIG: join(folder, 'options.json'),
    CODEX_SIDECAR_PORT: String(port ?? await freePort()),
    CODEX_SIDECAR_CHATGPT_UPSTREAM: `${to}/backend-api`,
    CODEX_SIDECAR_OPENAI_UPSTREAM: `${to}/v1`,
    CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${to}/v1`,
    ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, place(value)]))
  }
  const files = (): string[] => readdirSync(variables.HOME, { recursive: true, encoding: 'utf8' }).sort().map(name => `${name} ${statSync(join(variables.HOME, name)).mtimeMs}`)
  const before = files()
  const { code, out, err } = await command(['doctor', '--json', ...flags], variables)
  t.strictSame(files(), before, 'the home folder is as it was')
  t.equal(err, '')
  t.notMatch(out, SECRET, 'no secret is shown')
  const { worst, findings } = JSON.parse(out) as { worst: string, findings: Finding[] }
  t.equal(code, worst === 'problem' ? 1 : 0, 'the exit code is that of the worst finding')
  const human = (await command(['doctor', ...flags], variables)).out
  t.notMatch(human, SECRET)
  for (const { severity, looked, result, mend = '' } of findings.filter(({ severity }) => severity !== 'ok')) {
    // Times may differ by one between the two reports.
    const shown = human.split('\n').find(line => line.startsWith(`${severity.padEnd(9)}${looked}: ${result.replace(/\d+ (?:ms|s)\b.*$/, '')}`))
    t.comment(`FINDING ${severity} | ${looked} | ${result} | ${mend}`)
    if (shown === undefined) t.fail(`not in the report for people: ${looked}: ${result}\n${human}`)
    t.ok(human.includes(mend))
  }
  const of = (check: string): Finding[] => findings.filter(finding => finding.check === check)
  return { findings, of, human, port: Number(variables.CODEX_SIDECAR_PORT), config: loadConfig({ env: variables }), env: variables }
}

t.test('logins on disk are matched with what the running one knows, and none is sent to it', async t => {
  const upstream = await startUpstream(t, ({ headers: { authorization = '' } }, response) => {
    const status = authorization === `Bearer ${logins.revoked}` ? 401 : authorization === `Bearer ${logins.limited}` ? 429 : 200
    response.writeHead(status, { 'content-type': 'application/json', date: new Date().toUTCString() }).end(status === 401 ? '{"error":{"code":"token_revoked"}}' : '{}')
  })
  const logins = {
    revoked: jwt({ exp: at(600_000), x: SECRET }, 'acct-1a2b'), good: jwt({ exp: at(500_000) }, 'acct-3c4d'), limited: jwt({ exp: at(400_000) }, 'acct-7g8h'),
    old: jwt({ exp: at(-10_800) }, 'acct-5e6f'), newer: jwt({ exp: at(400_000) }, 'acct-5e6f'), key: `sk-proj-${'y'.repeat(30)}9i0j`, alike: `sk-proj-${'z'.repeat(30)}9i0j`, neighbour: jwt({ exp: at(400_000) }, 'other-5e6f')
  }
  const { port, url, lines } = await startSidecar(t, { upstream: upstream.url })
  const [made, remade] = [jwt({ iat: at(-7_200), exp: at(-3_600) }, 'acct-9m9m'), jwt({ iat: at(-60), exp: at(-3_600) }, 'acct-9m9m')]
  for (const [token, userAgent] of [[logins.revoked, 'pi'], [logins.revoked, 'codex_cli_rs/0.169.0'], [logins.good, 'tool/1'], [logins.old, 'openclaw/2026.9.6'], [made, 'maker/1'], [logins.limited, 'tool/1'], [logins.key, 'tool/1']] as const) {
    await (await request(`${url}${token === logins.key ? '/v1' : '/backend-api/codex'}/x`, { headers: { ...bearer(token), 'user-agent': userAgent } })).body.dump()
  }
  const told = lines().length
  const profile = (access: string) => ({ type: 'oauth', provider: 'openai', access, refresh: 'r' })
  const home = {
    '.codex': { 'auth.json': JSON.stringify({ tokens: { access_token: logins.revoked } }) },
    '.openclaw': { agents: { main: { agent: { 'auth-profiles.json': JSON.stringify({ profiles: { good: profile(logins.good), remade: profile(remade), timeless: profile(jwt({ exp: undefined }, 'acct-9m9m')), newer: profile(logins.newer), limited: profile(logins.limited), key: { type: 'api_key', provider: 'openai', key: 'short' }, long: { type: 'api_key', provider: 'openai', key: logins.key }, alike: { type: 'api_key', provider: 'openai', key: logins.alike }, neighbour: profile(logins.neighbour), none: { type: 'api_key', provider: 'openai' } } }) } } } }
  }
  const { of } = await examine(t, { home, port })
  const findings = of('running.login')
  const file = '~/.openclaw/agents/main/agent/auth-profiles.json'
  t.match(findings, [
    { severity: 'ok', looked: `${file} profile good`, result: /^the running codex-sidecar has it as ChatGPT login \(plan pro, …3c4d\): good \(.*\), \d+ s ago, used by tool 1$/ },
    { severity: 'problem', looked: `${file} profile remade`, result: /^is newer than the ChatGPT login that maker 1 still uses/ },
    { severity: 'problem', looked: `${file} profile newer`, result: /^is newer than the ChatGPT login that openclaw 2026\.9\.6 still uses, expired \d+ s ago$/, mend: 'restart openclaw 2026.9.6' },
    { severity: 'note', looked: `${file} profile limited`, result: /limited/ },
    { severity: 'ok', looked: `${file} profile long`, result: /OpenAI project key \(…9i0j\): good/ },
    { severity: 'problem', looked: '~/.codex/auth.json', result: /…1a2b\): refused \(it was revoked.*\), \d+ s ago, used by codex_cli_rs 0\.169\.0, pi$/, mend: /^Sign in again/ }
  ])
  t.equal(findings.length, 6, 'what ends with the same four characters is another one')
  t.notOk(JSON.stringify(lines().slice(told)).includes('"kind"'), 'what it is asked has no credential')
  const typed = (await examine(t, { home: {}, port })).of('running.login').sort((a, b) => a.looked.localeCompare(b.looked))
  t.match(typed, [
    { severity: 'warning', looked: 'ChatGPT login (plan pro, …1a2b)', result: /^refused \(it was revoked.*used by codex_cli_rs 0\.169\.0, pi; it is in no client's file here$/, mend: /^Sign in again/ },
    { severity: 'warning', looked: /…5e6f/, result: /^expired .* used by openclaw 2026\.9\.6;/ }, { severity: 'warning', looked: /…9m9m/, result: /^expired/ }
  ])
  t.equal(typed.length, 3, 'what was refused is told wherever it is kept')
  t.strictSame((await examine(t, { home })).of('running.login'), [], 'nor where none runs')
  for (const told of ['{}', '{"service":"codex-sidecar","routes":[],"credentials":{"list":[{}]}}', '{"service":"codex-sidecar","routes":[{"path":"/v1/","upstream":"file:///etc"},{"path":"/backend-api/","upstream":"http://["}],"credentials":{"salt":"","list":[]},"refusals":[]}', 'no JSON']) {
    const other = await startUpstream(t, (_request, response) => { response.end(told) })
    t.strictSame((await examine(t, { home, port: Number(new URL(other.url).port) })).of('running.login'), [], 'nor by another program, or another version')
  }
})

t.test('a login that its client has renewed is no problem', async t => {
  const [old, fresh] = [jwt({ iat: at(-7_200), exp: at(3_600), x: SECRET }, 'acct-1a2b'), jwt({ iat: at(-60), exp: at(90_000) }, 'acct-1a2b')]
  const upstream = await startUpstream(t, ({ headers: { authorization } }, response) => { json(response, authorization === `Bearer ${old}` ? 401 : 200, { error: { code: 'token_expired' } }) })
  const { port, url } = await startSidecar(t, { upstream: upstream.url })
  const send = async (token: string): Promise<void> => { await (await request(`${url}/backend-api/codex/x`, { headers: { ...bearer(token), 'user-agent': 'codex_cli_rs/0.169.0' } })).body.dump() }
  const home = { '.codex': { 'auth.json': JSON.stringify({ tokens: { access_token: fresh } }) } }
  await send(old)
  t.match((await examine(t, { home, port })).of('running.login'), [{ severity: 'problem', result: /^is newer than the ChatGPT login that codex_cli_rs 0\.169\.0 still uses/ }])
  await send(fresh)
  t.strictSame((await examine(t, { home, port })).of('running.login').map(({ severity }) => severity), ['ok'])
  t.match((await examine(t, { home: { '.codex': { 'auth.json': JSON.stringify({ tokens: { access_token: old } }) } }, port })).of('running.login'), [{ severity: 'note', result: /refused/ }], 'nor is the old one')
})

t.test('a pipe in place of a login is not waited for, and what is far too large not read', t => {
  const home = t.testdir({ '.codex': {}, '.openclaw': { state: {}, agents: { main: { agent: {} } } } })
  for (const name of ['.codex/auth.json', '.openclaw/state/openclaw.sqlite', '.openclaw/agents/main/agent/auth-profiles.json']) execFileSync('mkfifo', [join(home, name)])
  t.match(codexLogin({ HOME: home }, {}).findings, [{ severity: 'problem', result: 'cannot be read (ENXIO)', mend: /^ls -l / }])
  t.match(openclawLogins({ HOME: home }, undefined), [{ severity: 'problem', looked: /auth-profiles/, result: 'cannot be read (ENXIO)' }], 'nor is one taken for a database')
  rmSync(join(home, '.codex/auth.json'))
  writeFileSync(join(home, '.codex/auth.json'), '{}')
  truncateSync(join(home, '.codex/auth.json'), (1 << 24) + 1)
  t.match(codexLogin({ HOME: home }, {}).findings, [{ severity: 'problem', result: 'cannot be read (EFBIG)' }])
  t.end()
})

t.test('the address', async t => {
  t.test('is free', async t => {
    const { of } = await examine(t)
    t.match(of('listener'), [{ severity: 'note', result: 'is free: codex-sidecar does not run', mend: 'codex-sidecar' }])
  })
  t.test('is ours', async t => {
    const upstream = await startUpstream(t, refuse())
    const { port, app, lines } = await startSidecar(t, { upstream: upstream.url })
    const { of } = await examine(t, { port })
    t.match(of('listener'), [{ severity: 'ok', looked: `http://127.0.0.1:${port}`, result: 'codex-sidecar answers and takes requests' }])
    t.notOk(JSON.stringify(lines()).includes('"route"'), 'none of its questions goes through that one')
    t.strictSame([...app.generation.legacy.refusals], [], 'or is a refusal that somebody has to read')
    t.match(of('upstream').map(({ looked }) => looked), [`upstream ${new URL(upstream.url).host}`], 'the upstreams of the running one are looked at')
    t.match(of('running.upstream'), [{ severity: 'note', looked: 'routes of the running codex-sidecar', result: /^go elsewhere than the configuration of this shell says, and are looked at below: \/backend-api\/ to http.*, \/v1\/ to http/ }])
  })
  t.test('is ours, with a route for everything', async t => {
    const upstream = await startUpstream(t, refuse())
    const routes = [{ prefix: '/', upstream: upstream.url }]
    const { config } = await examine(t, { options: { routes } })
    const { port } = await startSidecar(t, { upstream: upstream.url, config: { routes: config.routes } })
    const { of } = await examine(t, { port, options: { routes } })
    t.match(of('listener'), [{ severity: 'ok' }])
  })
  t.test('is ours and drains', async t => {
    let answer = (): void => {}
    const arrived = new Promise<void>(resolve => { answer = resolve })
    let finish = (): void => {}
    const upstream = await startUpstream(t, ({ method }, response) => {
      if (method === 'HEAD') response.end() // whether it is there at all
      else {
        finish = () => response.end()
        answer()
      }
    })
    const { app, port, url } = await startSidecar(t, { upstream: upstream.url })
    const running = request(`${url}/v1/models`, { headers: bearer('good') })
    await arrived
    const closed = app.close()
    const { of } = await examine(t, { port })
    t.match(of('listener'), [{ severity: 'warning', result: 'codex-sidecar answers but is shutting down', mend: 'codex-sidecar' }])
    finish()
    const { statusCode, body } = await running
    await body.dump()
    t.equal(statusCode, 200)
    await closed
  })
  t.test('is another sidecar’s', async t => {
    const upstream = await startUpstream(t, refuse())
    const { config } = await examine(t)
    const { port } = await startSidecar(t, { upstream: upstream.url, config: { routes: config.routes.filter(({ prefix }) => prefix === '/v1') } })
    const { of } = await examine(t, { port })
    t.match(of('listener'), [{ severity: 'problem', result: 'another codex-sidecar answers here, without the route /backend-api/, /v1/messages/ of this configuration', mend: `codex-sidecar --port ${port + 1}` }])
  })
  t.test('is taken by another program', async t => {
    const other = await startUpstream(t, (_request, response) => response.end('hello'))
    const { of } = await examine(t, { port: Number(new URL(other.url).port) })
    t.match(of('listener'), [{ severity: 'problem', result: /^another program has this port; lsof -nP -iTCP:\d+ -sTCP:LISTEN tells its name$/, mend: /^codex-sidecar --port \d+$/ }])
  })
  t.test('is taken by a program that speaks something else', async t => {
    const other = await startRawUpstream(t, socket => { socket.end('220 mail.example ESMTP\r\n') })
    const { of } = await examine(t, { port: Number(new URL(other.url).port) })
    t.match(of('listener'), [{ severity: 'problem', result: /^a program that does not speak HTTP has this port/ }])
  })
  t.test('is open to others, or another one after each start', async t => {
    const { of, config } = await examine(t, { env: { CODEX_SIDECAR_HOST: '0.0.0.0' } })
    t.match(of('listener.host'), [{ severity: 'warning', looked: 'host 0.0.0.0', mend: 'codex-sidecar --host 127.0.0.1' }])
    t.equal(ownOrigin(config), `http://127.0.0.1:${config.port}`)
    t.match((await examine(t, { port: 0 })).of('listener'), [{ severity: 'note', mend: 'codex-sidecar --port 7257' }])
    t.equal(ownOrigin(loadConfig({ flags: { host: '::1' } })), 'http://[::1]:7257')
    t.equal(ownOrigin(loadConfig({ flags: { host: '192.0.2.1' } })), 'http://192.0.2.1:7257')
  })
})

t.test('OpenClaw', async t => {
  const openclaw = (t: Test, text: string, rest: Omit<Case, 'home'> = {}) => examine(t, { ...rest, home: { '.openclaw': { 'openclaw.json': text } } })
  const providers = (entries: object): string => JSON.stringify({ models: { providers: entries } })

  t.test('is not there, or points nowhere', async t => {
    t.match((await examine(t)).of('openclaw.config'), [{ severity: 'note', looked: '~/.openclaw/openclaw.json', mend: 'codex-sidecar setup openclaw' }])
    t.match((await openclaw(t, '{}')).of('openclaw.config'), [{ severity: 'warning', result: /goes past codex-sidecar$/, mend: 'codex-sidecar setup openclaw' }])
  })
  t.test('both generations point here', async t => {
    const port = await freePort()
    const here = `http://127.0.0.1:${port}`
    for (const entries of [
      { 'openai-codex': { baseUrl: `${here}/backend-api`, api: 'openai-codex-responses' } },
      { openai: { baseUrl: `${here}/backend-api/codex`, api: 'openai-chatgpt-responses' } },
      { openai: { baseUrl: `http://localhost:${port}/v1/` }, anthropic: { baseUrl: `http://host.docker.internal:${port}` } },
      { mine: { baseUrl: `${here}/v1` } }
    ]) t.ok((await openclaw(t, providers(entries), { port })).of('openclaw.base_url').every(({ severity }) => severity === 'ok'), JSON.stringify(entries))
  })
  t.test('points here with a wrong path, with TLS, with no URL', async t => {
    const port = await freePort()
    const here = `http://127.0.0.1:${port}`
    for (const [name, entry, result, mend] of [
      ['openai-codex', { baseUrl: `${here}/v1`, api: 'openai-codex-responses' }, `${here}/v1 points here with a path that does not work for it`, `"baseUrl": "${here}/backend-api/codex"`],
      ['openai', { baseUrl: `${here}/backend-api/v1`, api: 'openai-chatgpt-responses' }, `${here}/backend-api/v1 points here with a path that does not work for it`, `"baseUrl": "${here}/backend-api/codex"`],
      ['openai', { baseUrl: here, api: 'openai-responses' }, `${here}/ points here with a path that does not work for it`, `"baseUrl": "${here}/v1"`],
      ['anthropic', { baseUrl: `${here}/v1` }, `${here}/v1 points here with a path that does not work for it`, `"baseUrl": "${here}"`],
      ['anthropic', { baseUrl: `https://user:${SECRET}@127.0.0.1:${port}/?key=${SECRET}` }, `https://127.0.0.1:${port}/ asks for TLS, which codex-sidecar does not speak to clients`, `"baseUrl": "${here}"`],
      ['openai', { baseUrl: SECRET }, 'is no URL', `"baseUrl": "${here}/backend-api/codex"`]
    ] as const) {
      const { of } = await openclaw(t, providers({ [name]: entry }), { port })
      t.match(of('openclaw.base_url'), [{ severity: 'problem', looked: `~/.openclaw/openclaw.json models.providers["${name}"].baseUrl`, result, mend }])
    }
  })
  t.test('points elsewhere: a warning, or a note where another provider points here', async t => {
    const port = await freePort()
    const past = { openai: { baseUrl: 'https://chatgpt.com/backend-api' }, anthropic: { baseUrl: 'http://127.0.0.1/' }, 'openai-codex': { apiKey: SECRET }, mine: { baseUrl: 'https://localhost' } }
    const { of } = await openclaw(t, providers(past), { port })
    t.match(of('openclaw.base_url'), [
      { severity: 'warning', result: 'https://chatgpt.com/backend-api goes past codex-sidecar' },
      { severity: 'warning', result: `http://127.0.0.1/ leads to port 80, codex-sidecar has ${port}` }
    ])
    const mixed = await openclaw(t, providers({ ...past, own: { baseUrl: `http://127.0.0.1:${port}/v1` } }), { port })
    t.strictSame(mixed.of('openclaw.base_url').map(({ severity }) => severity), ['note', 'note', 'ok'])
  })
  t.test('images and sound need a word of their own', async t => {
    const port = await freePort()
    const at = (more: object) => openclaw(t, providers({ openai: { baseUrl: `http://127.0.0.1:${port}/v1`, api: 'openai-responses', ...more } }), { port })
    t.match((await at({})).of('openclaw.request'), [{ severity: 'note', result: /no images and no sound/, mend: '"request": { "allowPrivateNetwork": true }' }])
    t.strictSame((await at({ request: { allowPrivateNetwork: true } })).of('openclaw.request'), [])
    t.strictSame((await openclaw(t, providers({ openai: { baseUrl: 'https://api.openai.com/v1', api: 'openai-responses' } }), { port })).of('openclaw.request'), [], 'not where it goes past')
  })
  t.test('the plugin leads here', async t => {
    const plugin = (entry: object) => openclaw(t, JSON.stringify({ plugins: { entries: { 'codex-sidecar': entry } } }))
    t.match((await plugin({ enabled: true })).of('openclaw.plugin'), [{ severity: 'ok', result: /codex-sidecar of its own/ }])
    t.strictSame((await plugin({ enabled: true })).of('openclaw.config'), [])
    t.match((await plugin({ enabled: false })).of('openclaw.config'), [{ severity: 'warning' }], 'what is uninstalled leaves such an entry')
  })
  t.test('its file is JSON5 with variables and inclusions, at a place of its own', async t => {
    const port = await freePort()
    const text = `{ // a comment\n models: { $include: './more.json5', providers: { openai: { baseUrl: '\${SIDECAR}/v1', apiKey: '${SECRET}', }, other: { baseUrl: '\${NOBODY}' } } } }`
    const folder = t.testdir({ home: {}, state: { 'a.json': text, 'openclaw.json': text } })
    for (const env of [{ OPENCLAW_STATE_DIR: `${folder}/state` }, { OPENCLAW_CONFIG_PATH: `${folder}/state/a.json` }, { OPENCLAW_HOME: folder, OPENCLAW_STATE_DIR: '~/state' }]) {
      const { code, out } = await command(['doctor', '--json', `--port=${port}`], { HOME: `${folder}/home`, SIDECAR: `http://127.0.0.1:${port}`, ...await loopback(t), ...env })
      t.equal(code, 1, 'nobody listens where it points')
      t.match((JSON.parse(out) as { findings: Finding[] }).findings.filter(({ check }) => check.startsWith('openclaw')), [
        { check: 'openclaw.config', severity: 'note', result: 'has $include, which is not followed here' },
        { check: 'openclaw.base_url', severity: 'ok' }
      ])
    }
  })
  t.test('its file is broken or can not be read', async t => {
    t.match((await openclaw(t, `{\n "a": "${SECRET}`)).of('openclaw.config'), [{ severity: 'problem', result: 'is not valid: line 2', mend: /^correct line 2 of / }])
    t.match((await examine(t, { home: { '.openclaw': { 'openclaw.json': {} } } })).of('openclaw.config'), [{ severity: 'problem', result: 'cannot be read (EISDIR)', mend: /^ls -l / }])
    t.match((await openclaw(t, '[]')).of('openclaw.config'), [{ severity: 'warning' }])
  })
})

/** The upstreams on loopback, as variables. */
async function loopback (t: Test): Promise<Record<string, string>> {
  const { url } = await startUpstream(t, refuse())
  return { CODEX_SIDECAR_CHATGPT_UPSTREAM: url, CODEX_SIDECAR_OPENAI_UPSTREAM: url, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: url }
}

t.test('the Codex CLI', async t => {
  const chatgpt = (exp: number, more: object = {}): string => JSON.stringify({ tokens: { access_token: jwt({ exp }), refresh_token: SECRET }, ...more })
  const codex = (t: Test, toml: string, auth?: string, rest: Omit<Case, 'home'> = {}) =>
    examine(t, { ...rest, home: { '.codex': { 'config.toml': toml, ...auth === undefined ? {} : { 'auth.json': auth } } } })
  const week = at(7 * 86_400)

  t.test('is not there', async t => {
    t.match((await examine(t)).of('codex.config'), [{ severity: 'note', looked: '~/.codex/config.toml', mend: 'codex-sidecar setup codex' }])
  })
  t.test('points here, as its login wants it', async t => {
    const port = await freePort()
    for (const [path, auth] of [['backend-api/codex', chatgpt(week)], ['v1', JSON.stringify({ OPENAI_API_KEY: SECRET })], ['v1', '{}'], ['backend-api/codex', undefined], ['backend-api/codex', chatgpt(week, { OPENAI_API_KEY: SECRET, auth_mode: 'chatgpt' })]] as const) {
      t.match((await codex(t, `openai_base_url = "http://127.0.0.1:${port}/${path}"`, auth, { port })).of('codex.base_url'), [{ severity: 'ok' }], path)
    }
  })
  t.test('does not point here, or with the path of another login', async t => {
    const port = await freePort()
    const line = `openai_base_url = "http://127.0.0.1:${port}/backend-api/codex"`
    t.match((await codex(t, '', undefined, { port })).of('codex.base_url'), [{ severity: 'warning', looked: '~/.codex/config.toml openai_base_url', result: 'is not set, so Codex goes past codex-sidecar', mend: line }])
    t.match((await examine(t, { home: { '.codex': { 'auth.json': chatgpt(week) } }, port })).of('codex.base_url'), [{ severity: 'warning', mend: line }])
    t.match((await codex(t, 'openai_base_url = "https://api.openai.com/v1"', undefined, { port })).of('codex.base_url'), [{ severity: 'warning', result: 'https://api.openai.com/v1 goes past codex-sidecar', mend: line }])
    t.match((await codex(t, `openai_base_url = "http://127.0.0.1:${port}/v1"`, chatgpt(week), { port })).of('codex.base_url'), [{ severity: 'problem', result: /points here with a path that does not work for it$/, mend: line }])
  })
  t.test('has the line in a table, where it means nothing', async t => {
    const { of } = await codex(t, '[profiles.a]\nmodel = "b"\nopenai_base_url = "http://127.0.0.1:7257/v1"\n')
    t.match(of('codex.base_url'), [{ severity: 'problem', result: 'stands in the table [profiles.a], where Codex does not read it', mend: 'move the line above the first [table]' }])
  })
  t.test('has chatgpt_base_url pointing here', async t => {
    const port = await freePort()
    const { of } = await codex(t, `chatgpt_base_url = "http://127.0.0.1:${port}/backend-api"\n[profiles.work]\nchatgpt_base_url = "http://127.0.0.1:${port}/"\n[profiles.home]\nmodel = "a"\n`, undefined, { port })
    t.match(of('codex.chatgpt_base_url'), [
      { severity: 'problem', looked: '~/.codex/config.toml chatgpt_base_url', mend: 'remove this line; openai_base_url is the one to set' },
      { severity: 'problem', looked: '~/.codex/config.toml [profiles.work] chatgpt_base_url' }
    ])
  })
  t.test('uses a provider of its own', async t => {
    const port = await freePort()
    const table = (name: string, url: string): string => `[model_providers.${name}]\nbase_url = "${url}"\n`
    const here = `http://127.0.0.1:${port}`
    t.match((await codex(t, `model_provider = "a"\n${table('a', `${here}/v1`)}${table('b', 'http://127.0.0.1:11434/v1')}`, undefined, { port })).of('codex.base_url'), [{ severity: 'ok', looked: '~/.codex/config.toml [model_providers.a] base_url' }])
    t.match((await codex(t, `model_provider = "a"\n${table('a', here)}`, undefined, { port })).of('codex.base_url'), [{ severity: 'problem', mend: `base_url = "${here}/v1"` }])
    t.match((await codex(t, table('a', `${here}/v1`), undefined, { port })).of('codex.base_url'), [{ severity: 'ok' }, { severity: 'warning', result: /is not set/ }])
    t.match((await codex(t, `openai_base_url = "${here}/v1"\n${table('a', `${here}/v1`)}`, undefined, { port })).of('codex.base_url'), [{ severity: 'ok' }, { severity: 'ok' }])
    t.match((await codex(t, 'model_provider = "a"\n[model_providers.a]\nname = "A"', undefined, { port })).of('codex.base_url'), [{ severity: 'problem', result: 'is no URL', mend: `base_url = "${here}/v1"` }])
    t.match((await codex(t, 'model_provider = "oss"', undefined, { port })).of('codex.base_url'), [{ severity: 'note', result: 'is not used: model_provider is "oss", so Codex goes past codex-sidecar', mend: 'codex-sidecar setup codex' }])
  })
  t.test('its login holds, ends soon, has ended, or can not be known', async t => {
    const login = async (auth: string | undefined, toml = '') => (await codex(t, toml, auth)).of('codex.login')
    t.match(await login(chatgpt(at(3 * 86_400 + 60))), [{ severity: 'ok', looked: '~/.codex/auth.json', result: 'holds for 3 days' }])
    t.match(await login(chatgpt(at(3 * 3600 + 60))), [{ severity: 'note', result: 'expires in 3 hours; its client renews it by itself, unless that has ended too', mend: undefined }])
    t.match(await login(chatgpt(at(-90))), [{ severity: 'warning', result: 'expired 1 minute ago; its client renews it by itself, unless that has ended too', mend: 'codex login' }])
    const once = (exp: number): string => JSON.stringify({ tokens: { access_token: jwt({ exp }) } })
    t.match(await login(once(at(3 * 3600 + 60))), [{ severity: 'warning', result: 'expires in 3 hours', mend: 'codex login' }])
    t.match(await login(once(at(-90))), [{ severity: 'problem', result: 'expired 1 minute ago', mend: 'codex login' }])
    t.match(await login(JSON.stringify({ tokens: { access_token: SECRET } })), [{ severity: 'note', result: 'tells no end; only the upstream knows whether it holds' }])
    t.match(await login(JSON.stringify({ tokens: { access_token: jwt({ exp: undefined }) } })), [{ severity: 'note' }])
    t.match(await login(JSON.stringify({ OPENAI_API_KEY: SECRET })), [{ severity: 'note', result: 'is an API key; only the upstream knows whether it holds' }])
    t.match(await login(`{ "OPENAI_API_KEY": ${SECRET} }`), [{ severity: 'problem', result: 'is not valid: line 1' }])
    t.match(await login(undefined), [{ severity: 'note', result: 'holds no login', mend: 'codex login status' }])
    t.match(await login(undefined, 'cli_auth_credentials_store = "keyring"'), [{ severity: 'note', result: 'holds no login: Codex keeps it in its store "keyring"' }])
  })
  t.test('its file is broken, or lies elsewhere', async t => {
    t.match((await codex(t, `model = "a"\napi_key = ${SECRET}\n`)).of('codex.config'), [{ severity: 'problem', result: 'is not valid: line 2', mend: /^correct line 2 of / }])
    t.match((await examine(t, { files: { elsewhere: { 'config.toml': '' } }, env: { CODEX_HOME: 'FOLDER/elsewhere' } })).of('codex.base_url'), [{ severity: 'warning', looked: /elsewhere\/config\.toml/ }])
  })
})

t.test('OpenClaw’s logins', async t => {
  const store = (profiles: object): string => JSON.stringify({ version: 1, profiles })
  const agents = (text: string) => ({ '.openclaw': { agents: { main: { agent: { 'auth-profiles.json': text } }, other: {} } } })
  const logins = async (t: Test, text: string) => (await examine(t, { home: agents(text) })).of('openclaw.login')

  t.test('in a file of each agent', async t => {
    t.match(await logins(t, store({
      'openai-codex:default': { type: 'oauth', provider: 'openai-codex', access: SECRET, refresh: SECRET, expires: Date.now() - 3 * 86_400_000 - 60_000 },
      'openai:b': { type: 'oauth', provider: 'openai', access: jwt({ exp: at(5 * 86_400 + 60) }) },
      'anthropic:c': { type: 'token', provider: 'anthropic', token: SECRET },
      'openai:d': { type: 'api_key', provider: 'openai', key: SECRET },
      'anthropic:old': { type: 'oauth', provider: 'anthropic', access: jwt({ exp: at(-3 * 86_400 - 60) }) },
      'openai:never': { type: 'oauth', provider: 'openai', access: SECRET, expires: 1 },
      'openai:empty': { type: 'oauth', provider: 'openai' },
      'google:e': { type: 'oauth', provider: 'google', expires: 1 }
    })), [
      { severity: 'warning', looked: '~/.openclaw/agents/main/agent/auth-profiles.json profile openai-codex:default', result: /^expired 3 days ago; its client renews it by itself/, mend: 'openclaw models auth login --provider openai-codex' },
      { severity: 'ok', result: 'holds for 5 days' },
      { severity: 'note', result: 'tells no end; only the upstream knows whether it holds' },
      { severity: 'note', result: 'is an API key; only the upstream knows whether it holds' },
      { severity: 'problem', looked: /profile anthropic:old$/, result: 'expired 3 days ago', mend: 'openclaw models auth login --provider anthropic' },
      { severity: 'note', looked: /profile openai:never$/, result: 'tells no end; only the upstream knows whether it holds' },
      { severity: 'note', looked: /profile openai:empty$/, result: 'tells no end; only the upstream knows whether it holds' }
    ])
    t.match(await logins(t, `{ "profiles": { "a": { "access": "${SECRET}` ), [{ severity: 'problem', result: 'is not valid: line 1' }])
  })

  t.test('whatever ends first, and those of a helper’s own provider', async t => {
    const port = await freePort()
    const text = store({
      'openai:early': { type: 'oauth', provider: 'openai', access: jwt({ exp: at(-3 * 86_400 - 60) }), expires: Date.now() + 86_400_000 * 5 },
      'openai:late': { type: 'oauth', provider: 'openai', access: jwt({ exp: at(5 * 86_400) }), expires: Date.now() - 90_000 },
      'helper:a': { type: 'token', provider: 'helper', token: jwt({ exp: at(-90) }) },
      'other:b': { type: 'token', provider: 'other', token: jwt({ exp: at(-90) }) }
    })
    const file = JSON.stringify({ models: { providers: { helper: { baseUrl: `http://127.0.0.1:${port}/helper/backend-api/codex` }, other: { baseUrl: 'https://other.example' }, none: {} } } })
    const { of } = await examine(t, { port, home: { '.openclaw': { ...agents(text)['.openclaw'], 'openclaw.json': file } } })
    t.match(of('openclaw.login'), [
      { severity: 'problem', looked: /openai:early$/, result: 'expired 3 days ago' },
      { severity: 'problem', looked: /openai:late$/, result: 'expired 1 minute ago' },
      { severity: 'problem', looked: /helper:a$/, result: 'expired 1 minute ago', mend: 'openclaw models auth paste-token --provider helper' }
    ])
    t.equal(of('openclaw.login').length, 3)
  })

  t.test('in databases, by SQLite’s own program where Node has none', t => {
    const answers = { good: 'echo \'[{"json":"{}"}]\'', empty: ':', broken: 'exit 1' }
    const program = (name: keyof typeof answers): Record<string, string> => {
      const PATH = t.testdir({ sqlite3: `#!/bin/sh\nif [ "$1" = -version ]; then exit 0; fi\n${answers[name]}\n` })
      chmodSync(join(PATH, 'sqlite3'), 0o755)
      return { PATH: `${PATH}:/bin:/usr/bin` }
    }
    const read = (env: Record<string, string>): string[] => readRow(commandSqlite(env) as Sqlite, 'a.sqlite', 'SELECT a AS json FROM b')
    t.strictSame(read(program('good')), ['{}'])
    t.strictSame(read(program('empty')), [])
    t.strictSame(new (commandSqlite(program('empty')) as Sqlite).DatabaseSync('a.sqlite', { readOnly: false }).prepare('DELETE FROM b').all(), [])
    t.throws(() => read(program('broken')))
    t.equal(commandSqlite({ PATH: t.testdir({}) }), undefined)
    t.end()
  })

  t.test('in databases', async t => {
    const SQL = await initSqlJs()
    const dump = (...statements: string[]): Buffer => {
      const database = new SQL.Database()
      for (const statement of statements) database.run(statement)
      const bytes = Buffer.from(database.export())
      database.close()
      return bytes
    }
    // SQLite itself, for the Node that has none.
    class DatabaseSync {
      readonly #database
      constructor (file: string) { this.#database = new SQL.Database(readFileSync(file)) }
      prepare (sql: string) {
        const [{ values } = { values: [] }] = this.#database.exec(sql)
        return { all: () => values.map(([json]) => ({ json })) }
      }

      close (): void { this.#database.close() }
    }
    const sqlite: Sqlite = ownSqlite() ?? { DatabaseSync }
    const home = t.testdir({ '.openclaw': { state: {}, agents: { main: { agent: { 'auth-profiles.json': store({ 'openai:retired': { type: 'oauth', provider: 'openai', expires: 1 } }) } } } } })
    const profile = (id: string, expires: number): string => store({ [id]: { type: 'oauth', provider: 'openai', access: SECRET, expires } })
    writeFileSync(join(home, '.openclaw/state/openclaw.sqlite'), dump(
      'CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT',
      `INSERT INTO config_machine_state VALUES ('authProfiles.store', '${profile('openai:shared', Date.now() - 90_000)}', 1), ('other', '{}', 1)`))
    writeFileSync(join(home, '.openclaw/agents/main/agent/openclaw-agent.sqlite'), dump(
      'CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT',
      `INSERT INTO auth_profile_store VALUES ('default', '${profile('openai:main', Date.now() + 7_260_000)}', 1)`))
    const findings = openclawLogins({ HOME: home }, sqlite)
    for (const { severity, looked, result, mend = '' } of findings) t.comment(`FINDING ${severity} | ${looked} | ${result} | ${mend}`)
    t.match(findings, [
      { severity: 'problem', looked: '~/.openclaw/state/openclaw.sqlite profile openai:shared', result: 'expired 1 minute ago' },
      { severity: 'warning', looked: '~/.openclaw/agents/main/agent/openclaw-agent.sqlite profile openai:main', result: /^expires in 2 hours/ }
    ])
    t.equal(findings.length, 2, 'the file that the databases have replaced does not count')
    t.match(openclawLogins({ HOME: home }, undefined), [{ severity: 'note', result: 'is a database that this version of Node cannot read', mend: 'openclaw models status' }, {}])
    writeFileSync(join(home, '.openclaw/state/openclaw.sqlite'), 'no database at all, but long enough to be taken for one by its size')
    t.match(openclawLogins({ HOME: home }, sqlite)[0], { severity: 'note', result: 'cannot be read as a database of profiles' })
    t.match((await command(['doctor', '--port', String(await freePort())], { HOME: home, ...await loopback(t) })).out, '~/.openclaw/state/openclaw.sqlite: ')
  })
})

t.test('the environment', async t => {
  t.test('base URLs of the SDKs', async t => {
    const port = await freePort()
    const { of } = await examine(t, { port, env: { OPENAI_BASE_URL: `http://127.0.0.1:${port}`, ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}/` } })
    t.match(of('environment.base_url'), [{ severity: 'problem', looked: 'OPENAI_BASE_URL', mend: `export OPENAI_BASE_URL="http://127.0.0.1:${port}/v1"` }, { severity: 'ok', looked: 'ANTHROPIC_BASE_URL' }])
    t.match((await examine(t, { env: { OPENAI_BASE_URL: 'https://api.openai.com/v1' } })).of('environment.base_url'), [{ severity: 'note' }])
  })
  t.test('with /v1 for Anthropic, which one client needs and others can not use', async t => {
    const port = await freePort()
    const { of } = await examine(t, { port, env: { ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}/v1` } })
    t.match(of('environment.base_url'), [{ severity: 'note', result: /points here with a path that only Vercel’s ai \(@ai-sdk\/anthropic\) needs$/, mend: `export ANTHROPIC_BASE_URL="http://127.0.0.1:${port}"` }])
    t.match(of('listener'), [{ severity: 'problem', result: /a base URL points here/ }])
  })
  t.test('at the other loopback', async t => {
    const upstream = await startUpstream(t, refuse())
    const { port } = await startSidecar(t, { upstream: upstream.url })
    const env = { OPENAI_BASE_URL: `http://[::1]:${port}/v1` }
    t.match((await examine(t, { port, env })).of('listener.loopback'), [{ severity: 'problem', looked: `http://[::1]:${port}`, mend: `the same base URL with http://127.0.0.1:${port}` }])
    const six = createHttpServer((_request, response) => { response.setHeader('proxy-status', 'codex-sidecar').end() }).listen(port, '::1')
    t.teardown(() => { six.closeAllConnections(); six.close() })
    await once(six, 'listening')
    t.match((await examine(t, { port, env })).of('listener.loopback'), [], 'unless we listen there too')
    t.match((await examine(t, { port })).of('listener.loopback'), [], 'or nobody is pointed there')
  })
  t.test('proxies', async t => {
    const proxied = async (env: Record<string, string>, upstream = 'https://upstream.example') => {
      const { of } = await examine(t, { env, upstream })
      return [...of('proxy.upstream'), ...of('proxy.https'), ...of('proxy.loopback')]
    }
    t.match(await proxied({}), [])
    const proxy = `http://user:${SECRET}@127.0.0.1:${await freePort()}`
    const through = { severity: 'note', result: /^requests to upstream\.example go through http:\/\/127\.0\.0\.1:\d+$/ }
    t.match(await proxied({ HTTPS_PROXY: proxy }), [{ ...through, looked: 'HTTPS_PROXY' }, { severity: 'ok' }])
    t.match(await proxied({ http_proxy: proxy, NO_PROXY: 'intern.example' }, 'http://upstream.example'), [{ ...through, looked: 'http_proxy' }, { severity: 'warning', looked: 'NO_PROXY', mend: 'export NO_PROXY="intern.example,localhost,127.0.0.1,::1"' }])
    t.match(await proxied({ ALL_PROXY: proxy }), [{ ...through, looked: 'ALL_PROXY' }, { severity: 'warning', mend: 'export NO_PROXY="localhost,127.0.0.1,::1"' }])
    t.match(await proxied({ HTTP_PROXY: proxy, NO_PROXY: 'nowhere.example, 127.0.0.0/8' }, 'http://upstream.example'), [through, { severity: 'ok' }])
    t.match(await proxied({ HTTP_PROXY: proxy, NO_PROXY: '*' }, 'http://upstream.example'), [{ severity: 'ok' }])
    t.match(await proxied({ HTTP_PROXY: proxy, NO_PROXY: '127.0.0.1' }, 'https://nobody.invalid'), [{ check: 'proxy.https', severity: 'note', result: 'is not set, and HTTP_PROXY stands before http URLs only: upstreams with https are reached directly', mend: 'export HTTPS_PROXY="$HTTP_PROXY"' }, { severity: 'ok' }])
  })
  t.test('a proxy that can not be used', async t => {
    const { code, out, err } = await command(['doctor'], { HOME: t.testdir({}), HTTPS_PROXY: `socks4://user:${SECRET}@proxy.example` })
    t.equal(code, 2)
    t.equal(out, '')
    t.match(err, 'HTTPS_PROXY: is "socks4://***@proxy.example", allowed: http, https, socks5 or socks5h')
  })
  t.test('home folder', async t => {
    t.equal(homeOf({ HOME: '', USERPROFILE: 'C:\\Users\\me' }), 'C:\\Users\\me')
    t.equal(homeOf({}), homedir())
  })
})

t.test('the upstreams', async t => {
  /** An upstream that speaks TLS with the certificate given. */
  const startTls = async (t: Test, { key, cert }: { key: string, cert: string }): Promise<string> => {
    const server = createTlsServer({ key, cert }, (_request, response) => { response.writeHead(401).end() })
    server.listen(0, '127.0.0.1')
    t.teardown(() => { server.closeAllConnections(); server.close() })
    await once(server, 'listening')
    return `https://localhost:${(server.address() as AddressInfo).port}`
  }
  const upstream = async (t: Test, url: string, rest: Case = {}) => (await examine(t, { ...rest, upstream: url })).of('upstream')

  t.test('answer, whatever the answer', async t => {
    const { url, seen } = await startUpstream(t, refuse(new Date()))
    const { of } = await examine(t, { upstream: url })
    t.match(of('upstream'), [{ severity: 'ok', result: /^answers 401 in \d+ ms$/ }])
    t.match(of('clock'), [{ severity: 'ok', result: 'agrees within a minute' }])
    t.ok(seen.every(({ method, headers }) => method === 'HEAD' && headers.authorization === undefined), 'no credential is sent')
  })
  t.test('tell another time', async t => {
    const behind = await startUpstream(t, refuse(new Date(Date.now() + 300_000)))
    t.match((await examine(t, { upstream: behind.url })).of('clock'), [{ severity: 'problem', looked: /^this machine's clock against 127/, result: /^is (?:29\d|30\d) s behind, so good tokens/, mend: /timedatectl/ }])
    const ahead = await startUpstream(t, refuse(new Date(Date.now() - 300_000)))
    t.match((await examine(t, { upstream: ahead.url })).of('clock'), [{ severity: 'problem', result: /^is (?:29\d|30\d) s ahead/ }])
  })
  t.test('tell no time', async t => {
    const raw = await startRawUpstream(t, socket => { socket.on('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n')) })
    const { of } = await examine(t, { upstream: raw.url })
    t.match(of('upstream'), [{ severity: 'ok' }])
    t.match(of('clock'), [])
  })
  t.test('have no address', async t => {
    t.match(await upstream(t, 'https://nobody.invalid'), [{ severity: 'problem', looked: 'upstream nobody.invalid', result: /^its name does not resolve \((?:ENOTFOUND|EAI_AGAIN)\)$/, mend: /^nslookup nobody\.invalid/ }])
  })
  t.test('refuse the connection', async t => {
    const port = await freePort()
    t.match(await upstream(t, `http://[::1]:${port}`), [{ severity: 'problem', result: /\((?:ECONNREFUSED|EADDRNOTAVAIL)\)$/ }])
    t.match(await upstream(t, `http://127.0.0.1:${port}`), [{ severity: 'problem', result: 'the connection is refused (ECONNREFUSED)', mend: `curl -v http://127.0.0.1:${port}` }])
  })
  t.test('say nothing: within the handshake, after it', async t => {
    const { url } = await startRawUpstream(t, () => {})
    t.match(await upstream(t, url.replace('http:', 'https:')), [{ severity: 'problem', result: `no connection within ${PATIENCE} ms: a firewall drops the packets (UND_ERR_CONNECT_TIMEOUT)`, mend: /^open TCP to 127\.0\.0\.1:\d+ in it, or export HTTPS_PROXY/ }])
    t.match(await upstream(t, url), [{ severity: 'problem', result: 'it takes the connection and then says nothing (TimeoutError)' }])
  })
  t.test('break the connection', async t => {
    const { url } = await startRawUpstream(t, socket => { socket.destroy() })
    t.match(await upstream(t, url), [{ severity: 'problem', result: /^the connection broke \((?:ECONNRESET|UND_ERR_SOCKET)\)$/ }])
    t.match(await upstream(t, url.replace('http:', 'https:')), [{ severity: 'problem', result: /^the connection is cut in the TLS handshake: .* \(TLS_RESET\)$/, mend: /^openssl s_client -connect 127\.0\.0\.1:\d+$/ }])
  })
  t.test('speak no TLS', async t => {
    const { url } = await startUpstream(t, refuse(new Date()))
    t.match(await upstream(t, url.replace('http:', 'https:')), [{ severity: 'problem', result: /^no TLS is spoken there: a login page of the network, or a wrong port/, mend: /^log in to the network in a browser .*curl -v http:\/\/127\.0\.0\.1:\d+\)$/ }])
  })
  t.test('can not be reached from this machine', async t => {
    const of = (code: string) => troubleOf(Object.assign(new Error('no'), { code }), { url: 'https://a.test', patience: 1, proxy: undefined })
    for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EINVAL']) t.match(of(code), { words: `this machine has no route to it (${code})`, mend: /^connect it to a network/ })
    t.match(of('EPERM'), { words: 'the rules of this machine do not allow it (EPERM)', mend: 'allow a.test in its firewall, or export HTTPS_PROXY=http://HOST:PORT' })
  })
  t.test('show a certificate that nobody vouches for, or only a CA of the network', async t => {
    const certificate = await selfSigned('localhost')
    const url = await startTls(t, certificate)
    t.match(await upstream(t, url), [{ severity: 'problem', result: /^its certificate is signed by nobody this machine trusts: a proxy of your network intercepts TLS, or its login page answers \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/, mend: /^export NODE_EXTRA_CA_CERTS=\/path\/to\/its-ca\.pem \(or codex-sidecar --use-system-ca / }])
    const trusting = { files: { 'ca.pem': certificate.cert }, options: { caFile: 'FOLDER/ca.pem' } }
    const { of } = await examine(t, { upstream: url, ...trusting })
    t.match(of('upstream'), [{ severity: 'ok', result: /TLS verified$/ }])
    t.match(of('upstream.interception'), [{ severity: 'note', result: 'holds only with the extra CA: a proxy of your network reads along' }])
    const { of: plain, env, config } = await examine(t, trusting)
    t.match(plain('upstream.interception'), [], 'without TLS there is nothing to intercept')
    t.match(await interception({ ...config.routes[0] as Route, upstream: url }, env, config, [certificate.cert]), [], 'nor where Node’s own CAs vouch for the upstream')
  })
  t.test('show a certificate that has expired, or for another name', async t => {
    const old = await selfSigned('localhost', new Date('2020-01-01'), new Date('2020-02-01'))
    const wrong = await selfSigned('elsewhere.example')
    const trusting = (cert: string) => ({ files: { 'ca.pem': cert }, options: { caFile: 'FOLDER/ca.pem' } })
    t.match(await upstream(t, await startTls(t, old), trusting(old.cert)), [{ severity: 'problem', result: /^its certificate is not valid at the time this machine shows \(CERT_HAS_EXPIRED\)$/, mend: /^date -u/ }])
    t.match(await upstream(t, await startTls(t, wrong), trusting(wrong.cert)), [{ severity: 'problem', result: /^its certificate is for another name/, mend: /^log in to the network in a browser \(who answers there: openssl s_client -connect localhost:\d+\)$/ }])
  })
  t.test('want to see a certificate', async t => {
    const [server, client] = await Promise.all([selfSigned('localhost'), selfSigned('client.example')])
    const asking = createTlsServer({ ...server, ca: client.cert, requestCert: true, maxVersion: 'TLSv1.2' }, (_request, response) => { response.writeHead(401).end() })
    asking.listen(0, '127.0.0.1')
    t.teardown(() => { asking.closeAllConnections(); asking.close() })
    await once(asking, 'listening')
    const routed = (own: object): Case => ({
      files: { 'ca.pem': server.cert, 'own.pem': client.cert, 'own.key': client.key },
      options: { caFile: 'FOLDER/ca.pem', routes: [{ prefix: '/v1', upstream: `https://localhost:${(asking.address() as AddressInfo).port}/v1`, ...own }] }
    })
    t.match((await examine(t, routed({}))).of('upstream'), [{ severity: 'problem', result: /^it wants to see a certificate of ours that it knows/, mend: 'cert and key of its route in the configuration' }])
    t.match((await examine(t, routed({ cert: 'FOLDER/own.pem', key: 'FOLDER/own.key' }))).of('upstream'), [{ severity: 'ok' }])
  })
  t.test('are intercepted by the CA of NODE_EXTRA_CA_CERTS', async t => {
    const certificate = await selfSigned('localhost')
    const url = await startTls(t, certificate)
    const folder = t.testdir({ 'ca.pem': certificate.cert, home: {} })
    const [node, ...args] = commandLine(['doctor', '--json', '--port', String(await freePort())])
    const child = spawn(node, args, {
      env: { ...process.env, HOME: `${folder}/home`, NODE_EXTRA_CA_CERTS: `${folder}/ca.pem`, CODEX_SIDECAR_CHATGPT_UPSTREAM: url, CODEX_SIDECAR_OPENAI_UPSTREAM: url, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: url },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.teardown(() => child.kill('SIGKILL'))
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
    t.strictSame(await once(child, 'close'), [0, null])
    t.match((JSON.parse(out) as { findings: Finding[] }).findings.filter(({ check }) => check.startsWith('upstream')), [{ severity: 'ok' }, { severity: 'note', check: 'upstream.interception' }])
  })
  t.test('are behind a proxy that does not do its part', async t => {
    const answering = async (...answers: (string | Buffer)[]): Promise<string> => (await startRawUpstream(t, (socket: Socket) => {
      let i = 0
      socket.on('data', () => { socket.write(answers[i++] ?? '') })
    })).url
    const behind = async (url: string): Promise<Finding[]> => await upstream(t, 'https://upstream.example', { env: { HTTPS_PROXY: url } })
    const http = (status: number): Promise<string> => answering(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
    const where = /127\.0\.0\.1:\d+/.source
    t.match(await behind(await http(407)), [{ severity: 'problem', looked: 'upstream upstream.example through the proxy', result: new RegExp(`^the proxy ${where} wants another user or password \\(PROXY_AUTHENTICATION\\)$`), mend: 'correct user and password in HTTPS_PROXY' }])
    t.match(await behind(await http(403)), [{ severity: 'problem', result: /do not allow it/, mend: 'have upstream.example allowed there, or export NO_PROXY=upstream.example where no proxy is needed' }])
    t.match(await behind(await http(503)), [{ severity: 'problem', result: /could not connect to it/ }])
    const socks = await answering(Buffer.from([5, 0]), Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
    t.match(await behind(socks.replace('http:', 'socks5h:')), [{ severity: 'problem', result: /could not connect to it \(PROXY_FAILED\)$/ }])
    t.match(await behind(socks), [{ severity: 'problem', result: /speaks another protocol than HTTPS_PROXY says/, mend: /^correct what stands before :\/\/ in HTTPS_PROXY/ }])
    const talking = await answering('SSH-2.0-OpenSSH_9.9\r\n')
    t.match(await behind(talking.replace('http:', 'https:')), [{ severity: 'problem', result: /no secure connection to the proxy/ }])
    t.match(await behind(`http://127.0.0.1:${await freePort()}`), [{ severity: 'problem', result: /can not be reached, or hangs up \(PROXY_UNREACHABLE\)$/, mend: /^curl -v telnet:\/\/127\.0\.0\.1:\d+ / }])
  })
})

t.test('editors and terminals', async t => {
  const files = (url: string) => ({
    '.claude': { 'settings.json': JSON.stringify({ env: { ANTHROPIC_BASE_URL: url.replace(/\/v1$/, '') } }) },
    '.cline': { data: { settings: { 'providers.json': JSON.stringify({ providers: { 'openai-native': { settings: { apiKey: SECRET, baseUrl: url } }, other: {} } }) } } },
    '.qwen': { 'settings.json': JSON.stringify({ security: { auth: { apiKey: SECRET, baseUrl: url } } }) },
    '.continue': { 'config.yaml': `models:\n  - provider: anthropic\n    apiBase: ${url}/\n    apiKey: ${SECRET}\n  - apiBase: "${url}"\n` },
    '.config': { kilo: { 'kilo.jsonc': `{ // a comment\n "provider": { "anthropic": { "options": { "baseURL": "${url}", }, }, "x": {} } }` }, opencode: { 'opencode.json': JSON.stringify({ provider: { openai: { options: { baseURL: url } }, own: { options: { baseURL: 'https://elsewhere.example/v1' } } } }) } }
  })
  t.test('point here with the paths that they need', async t => {
    const port = await freePort()
    const { findings } = await examine(t, { port, home: files(`http://127.0.0.1:${port}/v1`) })
    t.match(findings.filter(({ check, severity }) => check.endsWith('.base_url') && severity === 'ok').map(({ looked }) => looked), [
      '~/.claude/settings.json env.ANTHROPIC_BASE_URL', '~/.config/opencode/opencode.json provider.openai.options.baseURL', '~/.config/kilo/kilo.jsonc provider.anthropic.options.baseURL',
      '~/.cline/data/settings/providers.json providers.openai-native.settings.baseUrl', '~/.qwen/settings.json security.auth.baseUrl', '~/.continue/config.yaml apiBase', '~/.continue/config.yaml apiBase'
    ])
    t.match(findings.filter(({ check }) => check === 'listener'), [{ severity: 'problem', result: 'codex-sidecar does not run, and 7 base URLs point here: their clients get no answer', mend: 'codex-sidecar' }])
  })
  t.test('point here with the paths that others need', async t => {
    const port = await freePort()
    const here = `http://127.0.0.1:${port}`
    for (const [url, mend] of [[here, `"baseURL": "${here}/v1"`], [`${here}/v1/v1`, `"baseURL": "${here}/v1"`]] as const) {
      const { of } = await examine(t, { port, home: { '.config': { opencode: { 'opencode.json': JSON.stringify({ provider: { anthropic: { options: { baseURL: url } } } }) } } } })
      t.match(of('opencode.base_url'), [{ severity: 'problem', result: /points here with a path that does not work for it$/, mend }])
      t.match(of('listener'), [{ severity: 'note' }])
    }
    const { of } = await examine(t, { port, home: { '.claude': { 'settings.json': JSON.stringify({ env: { ANTHROPIC_BASE_URL: `${here}/v1` } }) }, '.continue': { 'config.yaml': `apiBase: ${here}\n` } } })
    t.match([...of('claude-code.base_url'), ...of('continue.base_url')], [{ severity: 'problem', mend: `"ANTHROPIC_BASE_URL": "${here}"` }, { severity: 'problem', mend: `apiBase: ${here}/v1/` }])
  })
  t.test('keep their files elsewhere, or broken ones', async t => {
    const port = await freePort()
    const config = JSON.stringify({ provider: { openai: { options: { baseURL: `http://127.0.0.1:${port}/v1` } } } })
    const { of } = await examine(t, { port, files: { opencode: { 'opencode.json': config }, own: { 'settings.json': '{' } }, env: { XDG_CONFIG_HOME: 'FOLDER', CLAUDE_CONFIG_DIR: 'FOLDER/own' } })
    t.match(of('opencode.base_url'), [{ severity: 'ok' }])
    t.match(of('claude-code.config'), [{ severity: 'problem', result: /^is not valid: line/ }])
    t.match(of('listener'), [{ severity: 'problem', result: /and a base URL points here/ }])
  })
})

t.test('setup', async t => {
  t.test('prints the lines of each client, with the address in use', async t => {
    for (const [client, lines] of Object.entries({
      openclaw: [
        '{"models":{"providers":{"openai":{"baseUrl":"http://127.0.0.1:7000/backend-api/codex","api":"openai-chatgpt-responses","request":{"allowPrivateNetwork":true}}}}}',
        '{"models":{"providers":{"sidecar":{"baseUrl":"http://127.0.0.1:7000/v1","api":"openai-responses","models":[{"id":"gpt-5.4","name":"gpt-5.4"}]}}}}',
        '{"models":{"providers":{"openai-codex":{"baseUrl":"http://127.0.0.1:7000/backend-api","api":"openai-codex-responses","models":[]}}}}',
        '{"models":{"providers":{"anthropic":{"baseUrl":"http://127.0.0.1:7000","api":"anthropic-messages","models":[]}}}}'
      ],
      codex: ['openai_base_url = "http://127.0.0.1:7000/backend-api/codex"', 'openai_base_url = "http://127.0.0.1:7000/v1"', 'base_url = "http://127.0.0.1:7000/v1"', 'Leave chatgpt_base_url alone'],
      openai: ['export OPENAI_BASE_URL="http://127.0.0.1:7000/v1"'],
      anthropic: ['export ANTHROPIC_BASE_URL="http://127.0.0.1:7000"'],
      'claude-code': ['{"env":{"ANTHROPIC_BASE_URL":"http://127.0.0.1:7000"}}'],
      opencode: ['opencode.json', '{"provider":{"openai":{"options":{"baseURL":"http://127.0.0.1:7000/v1"}}}}', '{"provider":{"anthropic":{"options":{"baseURL":"http://127.0.0.1:7000/v1"}}}}'],
      kilo: ['kilo.json', '{"provider":{"anthropic":{"options":{"baseURL":"http://127.0.0.1:7000/v1"}}}}'],
      cline: ['cline auth -p openai-native -k "$OPENAI_API_KEY" -m MODEL -b http://127.0.0.1:7000/v1', '"baseUrl": "http://127.0.0.1:7000/v1"'],
      continue: ['apiBase: http://127.0.0.1:7000/v1/'],
      'qwen-code': ['export OPENAI_BASE_URL="http://127.0.0.1:7000/v1"'],
      agents: ['export OPENAI_BASE_URL="http://127.0.0.1:7000/v1"'],
      langchain: ['export OPENAI_BASE_URL="http://127.0.0.1:7000/v1"'],
      ai: ['export OPENAI_BASE_URL="http://127.0.0.1:7000/v1"', 'export ANTHROPIC_BASE_URL="http://127.0.0.1:7000/v1"']
    })) {
      const { code, out } = await command(['setup', client, '--port', '7000'], {})
      t.equal(code, 0)
      for (const line of lines) t.ok(out.includes(line), line)
    }
  })
  t.test('what it prints satisfies the doctor', async t => {
    const port = await freePort()
    const { out } = await command(['setup', 'openclaw', '--port', String(port)], {})
    for (const [line] of out.matchAll(/\{.*\}/g)) {
      const { findings } = await examine(t, { port, home: { '.openclaw': { 'openclaw.json': line } } })
      t.match(findings.filter(({ check }) => check.startsWith('openclaw')), [{ severity: 'ok' }], line)
    }
    const codex = (await command(['setup', 'codex', '--port', String(port)], {})).out
    for (const [line] of codex.matchAll(/openai_base_url = .*/g)) t.match((await examine(t, { port, home: { '.codex': { 'config.toml': line } } })).of('codex.base_url'), [{ severity: 'ok' }], line)
  })
  t.test('says what it can not do', async t => {
    t.strictSame(await command(['setup', 'claude'], {}), await command(['setup', 'claude-code'], {}), 'by the name of its command too')
    t.match(await command(['setup'], {}), { code: 2, err: 'codex-sidecar: setup needs one of openclaw, codex, openai, anthropic, claude-code, opencode, kilo, cline, continue, qwen-code, agents, langchain, ai\n' })
    t.match(await command(['setup', 'toString'], {}), { code: 2 })
    t.match(await command(['setup', 'codex', 'more'], {}), { code: 2, err: /unknown word "more"/ })
    t.match(await command(['check', 'more'], {}), { code: 2, err: /unknown word "more"/ })
    t.match(await command(['setup', 'codex', '--json'], {}), { code: 2, err: /--json: no such flag/ })
    const config = t.testdir({ 'own.json': '{ "routes": [{ "prefix": "/codex", "upstream": "http://127.0.0.1:1/" }] }' })
    t.match(await command(['setup', 'codex', '--config', `${config}/own.json`], {}), { code: 2, err: 'codex-sidecar: this configuration has no route /backend-api/ or /v1/ for codex; it has /codex/\n' })
  })
  t.test('a route of one’s own is a good place to point at', async t => {
    const port = await freePort()
    const { url } = await startUpstream(t, refuse())
    const { of } = await examine(t, { port, options: { routes: [{ prefix: '/codex', upstream: url }] }, home: { '.codex': { 'config.toml': `openai_base_url = "http://127.0.0.1:${port}/codex"` } } })
    t.match(of('codex.base_url'), [{ severity: 'ok' }])
  })
})
