import { writeFileSync } from 'node:fs'
import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { run } from '../../src/cli.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

/** Runs a command line; `told` is told each piece of its output. */
async function command (args: string[], env: Record<string, string>, { stdin = '', isTTY = false, told = () => {} }: { stdin?: string, isTTY?: boolean, told?: () => void } = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    env, stdin: (async function * () { yield stdin })(),
    stdout: { isTTY, write: text => { out.push(text); told() } }, stderr: { write: text => err.push(text) }
  })
  return { code, out: out.join(''), err: err.join('') }
}

const dead = `sk-proj-dead${'x'.repeat(30)}1a2b`

async function setUp (t: Test) {
  const upstream = await startUpstream(t, ({ url, headers: { authorization = '' } }, response) => {
    if (url === '/v1/gone') response.destroy()
    else json(response, authorization.includes('dead') ? 401 : 200, deadKey, { 'x-ratelimit-remaining-requests': '4', 'x-ratelimit-limit-requests': '5' })
  })
  const sidecar = await startSidecar(t, { upstream: upstream.url })
  const send = async (token: string, path = '/v1/models'): Promise<void> => { await (await request(`${sidecar.url}${path}`, { headers: { ...bearer(token), 'user-agent': 'tool/1' } })).body.dump() }
  return { ...sidecar, send, env: { CODEX_SIDECAR_PORT: String(sidecar.port) } }
}

t.test('status tells in the terminal which credential is dead, who uses it and what to do', async t => {
  const s = await setUp(t)
  t.match(await command(['status'], s.env), { code: 0, out: /ready\n\n0 credentials\n$/ })
  for (const token of [dead, dead, 'good', jwt({ exp: at(-7_300) }), jwt({ exp: at(90_000) })]) await s.send(token)
  await s.send('good', '/v1/gone')
  const { code, out, err } = await command(['status'], s.env)
  t.strictSame([code, err], [0, ''])
  t.match(out, /^codex-sidecar [\d.]+ at http:\/\/127\.0\.0\.1:\d+: ready\n\n4 credentials\n/)
  t.match(out, /OpenAI project key \(…1a2b\): refused, \d+ s ago: it knows no such API key.* \(\/v1\/\)\n {2}-> Replace the key in the client that uses it\.\n {2}used by tool 1; 2 refused; token [0-9a-f]{8}\n {2}requests: 4 of 5 left/)
  t.match(out, /expired, \d+ s ago: .*, ended 2 h ago\n/)
  t.match(out, /ChatGPT login \(plan pro, …ct-1\): good, .*, ends in 1 d\n {2}used by/)
  t.match(out, /\nOther refusals and failures\nupstream_reset, 1 times/)
  t.notMatch(out, 'xxxx')
  t.match(JSON.parse((await command(['status', '--json'], s.env)).out), { service: 'codex-sidecar' })
  t.equal((await command(['status', '--nonesuch', 'x'], s.env)).code, 2)

  const looking = new EventEmitter()
  const looked = once(looking, 'look')
  const watching = command(['status', '--watch'], s.env, { isTTY: true, told: () => { looking.emit('look') } })
  await looked
  await s.app.close()
  t.match(await watching, { code: 1, out: /^\x1b\[H\x1b\[2Jcodex-sidecar/, err: /^codex-sidecar: none answers at http\S+; codex-sidecar, or codex-sidecar service install, starts one\n$/ })
})

t.test('what is more, or cut off, is said', async t => {
  const { url } = await startSidecar(t, { upstream: 'http://127.0.0.1:9', limits: { verdicts: 200 } })
  const env = { CODEX_SIDECAR_PORT: new URL(url).port }
  for (let i = 0; i < 101; i++) await (await request(`${url}/v1/x`, { headers: bearer(`token-${i}`) })).body.dump()
  t.match((await command(['status'], env)).out, /\/v1\/ is cut off: .*\n\n101 credentials, those used last\n/)
  const told = { service: 'codex-sidecar', version: '1', state: 'ready', listening: null, credentials: { kept: 1, salt: '', list: [] }, refusals: [], routes: [] }
  const server = createServer((_request, response) => { json(response, 200, told) }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  t.match((await command(['status'], { CODEX_SIDECAR_PORT: String((server.address() as AddressInfo).port) })).out, 'at an address of its own: ready\n\n1 credential, those used last\n')
})

t.test('release has it forget one token, or all', async t => {
  const s = await setUp(t)
  await s.send(dead)
  await s.send(dead)
  const [fingerprint = ''] = /[0-9a-f]{8}(?=\n)/.exec((await command(['status'], s.env)).out) ?? []
  const asked = s.lines().length
  for (const word of ['nonesuch/', 'a-short-secret']) t.match(await command(['release', word], s.env), { code: 2, err: /^codex-sidecar: a fingerprint is the 8 hex digits/ })
  t.equal(s.lines().length, asked, 'what may be a token gets into no path')
  t.match(await command(['release', fingerprint], s.env), { code: 0, out: 'released 1; the next request asks the upstream\n' })
  t.match(await command(['release'], s.env), { code: 0, out: 'nothing is held\n' })
  t.match(await command(['release', '--json'], s.env), { code: 0, out: '{"released":0}\n' })
  await s.app.close()
  t.match(await command(['release'], s.env), { code: 1, err: /none answers/ })
})

t.test('a terminal obeys nothing of what clients call themselves and their requests', async t => {
  const s = await setUp(t)
  const client = new RawClient(t, s.port)
  client.write('GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: \x9b31mred\x9d0;title\x9c\r\nConnection: close\r\n\r\n')
  await client.until(() => client.ended)
  const { out } = await command(['status'], s.env)
  t.match(out, /expectation_failed, 1 times.* 31mred 0;title /)
  t.notMatch(out, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
  const odd = await startUpstream(t, (_request, response) => {
    json(response, 200, { service: 'codex-sidecar', version: '\x1b[31m1\u202e', state: 'ready\x9b2J', listening: null, credentials: { kept: 0, salt: '', list: [] }, refusals: [], routes: [] })
  })
  t.match(await command(['status'], { CODEX_SIDECAR_PORT: new URL(odd.url).port }), { code: 0, out: 'codex-sidecar [31m1 at an address of its own: ready2J\n\n0 credentials\n' })
  const home = t.testdir({ '.openclaw': { agents: { main: { agent: { 'auth-profiles.json': JSON.stringify({ profiles: { 'a\x1b[31mb': { type: 'api_key', provider: 'openai', key: 'short' } } }) } } } } })
  const { out: found } = await command(['doctor'], { ...s.env, HOME: home })
  t.match(found, 'profile a[31mb')
  t.notMatch(found, '\x1b')
})

t.test('another program at the address is told no token, and taken for none of ours', async t => {
  for (const said of [{}, null, 'text', { released: 'all' }, { service: 'codex-sidecar' }]) {
    const other = await startUpstream(t, (_request, response) => { json(response, 200, said) })
    const env = { CODEX_SIDECAR_PORT: new URL(other.url).port }
    t.match(await command(['status'], env), { code: 1, out: '', err: /^codex-sidecar: none answers/ })
    t.match(await command(['release'], env), { code: 2, out: '', err: 'codex-sidecar: it answered something else\n' })
    t.match(await command(['check', '--running'], env, { stdin: dead }), { code: 2, out: '', err: /^codex-sidecar: none answers/ })
    t.notMatch(JSON.stringify(other.seen), dead)
  }
})

t.test('check --running asks the running one about a token, and it learns nothing by it', async t => {
  const s = await setUp(t)
  for (const token of [dead, 'good']) await s.send(token)
  await s.send('odd', '/v1/gone')
  s.lines()
  const kept = s.app.generation.legacy.usage.size
  t.match(await command(['check', '--running'], s.env, { stdin: dead }), { code: 1, out: /^OpenAI project key \(…1a2b\): refused/ })
  t.match(await command(['check', '--running'], s.env, { stdin: 'good' }), { code: 0, out: /good/ })
  t.match(await command(['check', '--running'], s.env, { stdin: 'odd' }), { code: 2, out: /unclear/ })
  t.match(await command(['check', '--running'], s.env, { stdin: 'unknown' }), { code: 2, out: /has not seen this token/ })
  t.match(await command(['check', '--running'], s.env, { stdin: jwt({ exp: at(-7_300) }) }), { code: 2 })
  t.equal(s.app.generation.legacy.usage.size, kept)
  const expired = jwt({ exp: at(-7_300) }, 'other')
  await s.send(expired)
  t.match(await command(['check', '--running'], s.env, { stdin: expired }), { code: 1, out: /expired/ })
  t.match(await (await request(`${s.url}/status/held`)).body.json(), { credential: null, verdicts: [] }, 'without a token there is nothing to tell')
  t.notMatch(JSON.stringify(s.lines()), dead.slice(-8))
  await s.app.close()
  t.match(await command(['check', '--running'], s.env, { stdin: dead }), { code: 2, err: /none answers/ })
})

t.test('no command shows more of a token than its last four characters, and of what lies on disk nothing', async t => {
  const tokens = [`sk-proj-dead${'a'.repeat(30)}Q7zXW8yV`, jwt({ iat: at(-9_000), exp: at(-7_300), sub: 'user-canary' }, 'acct-canary-E9wU')]
  const onDisk = [jwt({ iat: at(-60), sub: 'user-canary', canary: 'leaf' }, 'acct-canary-E9wU'), `sk-proj-${'b'.repeat(30)}R2tYU4iO`]
  const HOME = t.testdir({
    '.codex': { 'auth.json': JSON.stringify({ tokens: { access_token: onDisk[0], refresh_token: 'refresh-canary' } }) },
    '.claude': { '.credentials.json': `{ "claudeAiOauth": { "accessToken": "${String(onDisk[1])}", ` }
  })
  const upstream = await startUpstream(t, (_request, response) => { json(response, 401, deadKey) })
  const s = await startSidecar(t, { upstream: upstream.url, env: { HOME, CODEX_SIDECAR_CLIENT_LOGINS: 'answers' } })
  const env = { HOME, PATH: '', CODEX_SIDECAR_PORT: String(s.port) }
  const said: string[] = []
  for (const token of [...tokens, ...tokens]) said.push(await (await request(`${s.url}/v1/models`, { headers: { ...bearer(token), 'user-agent': 'tool/1' } })).body.text())
  for (const args of [['status'], ['status', '--json'], ['doctor'], ['doctor', '--json'], ['release', '00000000'], ['release', '--json']]) {
    const { out, err } = await command(args, env)
    said.push(out, err)
  }
  for (const token of [...tokens, ...onDisk]) for (const flags of [[], ['--json']]) {
    const { out, err } = await command(['check', '--running', ...flags], env, { stdin: token })
    said.push(out, err)
  }
  t.match(said.join(), /a newer one is in ~\/\.codex\/auth\.json/, 'the files were read')
  t.match(said.join(), 'OpenAI project key (…W8yV)')
  said.push(JSON.stringify(s.lines()), await (await request(`${s.url}/metrics`)).body.text())
  for (const secret of [...tokens.map(token => token.slice(-5)), ...onDisk.map(token => token.slice(-12)), ...[...tokens, ...onDisk].map(token => token.slice(0, 40)), 'canary', 'aaaa', 'bbbb', 'zXW8yV', 'R2tY']) {
    t.notOk(said.join('\n').includes(secret), secret.slice(0, 8))
  }
})

t.test('the server info file tells where it is', async t => {
  const s = await setUp(t)
  const folder = t.testdir({ 'wrong.json': '{}' })
  const info = join(folder, 'info.json')
  writeFileSync(info, JSON.stringify({ pid: 1, port: s.port, url: s.url }))
  t.match(await command(['status'], { CODEX_SIDECAR_PORT: '1', CODEX_SIDECAR_SERVER_INFO: info }), { code: 0 })
  for (const name of ['wrong.json', 'nonesuch']) t.match(await command(['status'], { ...s.env, CODEX_SIDECAR_SERVER_INFO: join(folder, name) }), { code: 0 }, name)
  const server = createServer((_request, response) => { json(response, 404, {}) }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  t.match(await command(['release'], { CODEX_SIDECAR_PORT: String((server.address() as AddressInfo).port) }), { code: 2, err: /it answered something else/ })
})
