import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { run } from '../../src/cli.ts'
import type { Status } from '../../src/status/status.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, jwt } from '../fixtures/token.ts'
import { startChatgpt } from './chatgpt.ts'
import { installCodex, runCodex } from './codex-binary.ts'
import { say } from './openclaw/conversation.ts'
import { startGateway } from './openclaw/gateway.ts'
import { installOpenClaw } from './openclaw/installation.ts'
import { startStandIn, type Standing } from './openclaw/stand-in.ts'

// What a person reads on the page, from `status` and from `doctor` when the login of the real Codex CLI, or of OpenClaw, is revoked.

t.setTimeout(900_000)

const env = (port: number, more: Record<string, string>): Record<string, string> => ({ PATH: process.env['PATH'] ?? '', CODEX_SIDECAR_PORT: String(port), ...more })

/** What the commands say, and the page about the only credential. */
async function read (t: Test, { url, port }: { url: string, port: number }, variables: Record<string, string>) {
  const command = async (...args: string[]): Promise<string> => {
    const out: string[] = []
    await run(args, { env: env(port, variables), stdin: process.stdin, stdout: { write: text => out.push(text) }, stderr: { write: text => out.push(text) } })
    return out.join('')
  }
  const { credentials: { list }, refusals } = await (await request(`${url}/status`)).body.json() as Status
  const doctor = (await command('doctor')).split('\n')
  const told = { page: list[0], refusals, status: await command('status'), doctor: doctor.filter((line, i) => /running|is newer/.test(line) || /running|is newer/.test(doctor[i - 1] ?? '')).join('\n') }
  for (const [where, words] of Object.entries({ page: JSON.stringify(list[0]), status: told.status, doctor: told.doctor })) for (const line of words.split('\n')) t.comment(`${where}: ${line}`)
  return told
}

t.test('Codex CLI', async t => {
  await installCodex()
  const login = (made: number, jti: string): string => jwt({ iat: at(made), jti, sub: 'user-1' }, 'acct-of-codex-1a2b')
  const [revoked, fresh] = [login(-10_800, 'revoked'), login(-60, 'fresh')]
  const upstream = await startStandIn(t, { [revoked]: 'revoked' })
  const folder = mkdtempSync(join(tmpdir(), 'codex-e2e-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true, maxRetries: 5 }) })
  const home = join(folder, 'home')
  const variables = { HOME: home, CODEX_HOME: home }
  const sidecar = await startSidecar(t, { upstream: upstream.url, env: variables })
  const { exitCode } = await runCodex(t, { baseUrl: `${sidecar.url}/backend-api/codex`, as: { accessToken: revoked, chatgpt: await startChatgpt(t) }, folder })
  t.not(exitCode, 0)
  const first = await read(t, sidecar, variables)
  t.match(first.page, { name: 'ChatGPT login (plan pro, …1a2b)', state: 'refused', words: /^it was revoked: "Your authentication token has been revoked\."/, todo: 'Sign in again in the client that uses it; nothing needs a restart.', newer: null, clients: [{ name: /^codex/, version: '0.169.0' }] })
  t.match(first.refusals, [{ about: 'credential', code: 'token_rejected' }], 'all of them are one line')
  t.match(first.status, /ChatGPT login \(plan pro, …1a2b\): refused, .*\n {2}-> Sign in again in the client that uses it; nothing needs a restart\.\n {2}used by codex_exec 0\.169\.0/)
  t.match(first.doctor, /^problem {2}~\/auth\.json: the running codex-sidecar has it as ChatGPT login \(plan pro, …1a2b\): refused \(it was revoked: .*used by codex_exec 0\.169\.0\n +-> Sign in again/)

  const file = join(home, 'auth.json')
  const { tokens, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as { tokens: object }
  writeFileSync(file, JSON.stringify({ ...rest, tokens: { ...tokens, access_token: fresh } }))
  await (await request(`${sidecar.url}/livez`)).body.dump()
  const later = await until(async () => await read(t, sidecar, variables), ({ page }) => page !== undefined && page.newer !== null)
  t.match(later.page, { newer: { client: 'codex', place: '~/auth.json', certain: true }, todo: 'Restart codex_exec 0.169.0: still in use is a login of 3 hours ago, and a newer one is in ~/auth.json.' })
  t.match(later.status, /-> Restart codex_exec 0\.169\.0: still in use is a login of 3 hours ago/)
  t.match(later.doctor, /^problem {2}~\/auth\.json: is newer than the ChatGPT login that codex_exec 0\.169\.0 still uses, refused .* ago\n +-> Restart codex_exec 0\.169\.0/)
})

t.test('OpenClaw 2026.9.6', async t => {
  const installation = await installOpenClaw('2026.9.6')
  const login = jwt({ iat: at(-10_800), exp: at(864_000), sub: 'user-1' }, 'acct-of-claw-3c4d')
  const tokens: Record<string, Standing> = { [login]: 'good' }
  const upstream = await startStandIn(t, tokens)
  const sidecar = await startSidecar(t, { upstream: upstream.url })
  const base = `${sidecar.url}/backend-api`
  const gateway = await startGateway(t, installation, { main: base, helper: base }, { main: login }, { plain: true })
  t.match(await say(gateway.operator, 'agent:main:one', 'Begin, please', 120_000).ended, { kind: 'answer' })
  tokens[login] = 'revoked'
  for (const session of ['two', 'three']) await say(gateway.operator, `agent:main:${session}`, 'Go on, please', 60_000).ended
  const variables = { HOME: gateway.home.folder, OPENCLAW_STATE_DIR: gateway.home.state, OPENCLAW_CONFIG_PATH: gateway.home.config }
  const told = await read(t, sidecar, variables)
  t.match(told.page, { name: 'ChatGPT login (plan pro, …3c4d)', state: 'refused', words: /^it was revoked: "Your authentication token has been revoked\."/, todo: 'Sign in again in the client that uses it; nothing needs a restart.' })
  t.match(told.status, /ChatGPT login \(plan pro, …3c4d\): refused/)
  t.match(told.doctor, /the running codex-sidecar has it as ChatGPT login \(plan pro, …3c4d\): refused \(it was revoked/)
  t.match((await request(`${sidecar.url}/v1/models`, { headers: bearer('another') })).statusCode, 401)
})

/** Asks again until the answer is the one that is waited for, and gives it. */
async function until<T> (ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isIt(answer)) return answer
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}
