import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import type { Login } from '../fixtures/differential/logins.ts'
import { sendTo } from '../fixtures/differential/over-sockets.ts'
import { startRulesUpstream } from '../fixtures/differential/rules-upstream.ts'
import { at, jwt } from '../fixtures/token.ts'

// The program as a process whose clock is wrong, by Debian's faketime: its wall clock is, as on a laptop that slept or a
// machine with two systems; what measures how long something takes is not.

const library = readdirSync('/usr/lib').map(folder => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`).find(path => existsSync(path))
const skip = library === undefined ? 'no libfaketime in /usr/lib: install Debian\'s package faketime' : false

const main = join(import.meta.dirname, '../../src/main.ts')

const common = { upstream: 'chatgpt', kind: 'login', death: 'expired', organization: '', project: '', lacks: [], accounts: ['acct-1'], sockets: 'as HTTP' } as const
const login = (claims: { exp: number, nbf?: number }): Login => ({ ...common, secret: jwt({ ...claims, jti: Math.random() }), diesAt: claims.exp * 1000 })
const good = { '1 hour left': login({ exp: at(3_600) }), 'of this minute': login({ exp: at(86_400), nbf: at(-30) }), 'a week left': login({ exp: at(604_800) }) }
const expired = [login({ exp: at(-10_800) }), login({ exp: at(-90) })]
const logins = new Map([...Object.values(good), ...expired].map(one => [one.secret, one]))

/** The program before the upstream of rules, with a clock that is off by what stands in a file, `+6h` say. */
async function startWithClock (t: Test, offset: string) {
  const dir = t.testdir({ offset: `${offset}\n` })
  const { url: upstream } = await startRulesUpstream(t, { logins, now: Date.now })
  const child = spawn(process.execPath, [...process.execArgv, main, '--port', '0', '--server-info', join(dir, 'info.json')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env, CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream}/backend-api/`, CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream}/v1/`, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${upstream}/v1/`,
      LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: join(dir, 'offset'), FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1'
    }
  })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  const exit = once(child, 'exit')
  t.teardown(async () => { child.kill(); await exit })
  while (!existsSync(join(dir, 'info.json'))) {
    if (child.exitCode !== null) throw new Error(`it ended: ${out}`)
    await wait(20)
  }
  const { url } = JSON.parse(readFileSync(join(dir, 'info.json'), 'utf8')) as { url: string }
  const agent = new Agent()
  t.teardown(() => agent.destroy())
  const send = async ({ secret }: Login, handshake = false) =>
    await sendTo(url, { upstream: 'chatgpt', method: handshake ? 'GET' : 'POST', path: '/backend-api/codex/responses', handshake, fields: { authorization: `Bearer ${secret}` }, roll: 1 }, agent)
  return {
    /** What the program's log says of the time: it shows that its clock is off. */
    hours: (): number => Math.round((Date.parse(/"time":"([^"]+)"/.exec(out)?.[1] ?? '') - Date.now()) / 3_600_000) + 0,
    jump: (to: string): void => { writeFileSync(join(dir, 'offset'), `${to}\n`) },
    async check (t: Test, times: number): Promise<void> {
      let refused = 0
      let sent = 0
      for (let i = 0; i < times; i++) {
        for (const one of Object.values(good)) {
          for (const handshake of [false, true]) {
            const { good, ours } = await send(one, handshake)
            sent++
            if (!good || ours) refused++
          }
        }
      }
      t.equal(refused, 0, `of ${sent} requests with good tokens none is refused`)
      for (const one of expired) {
        t.match(await send(one), { status: 401 }, 'an expired one is')
        t.match(await send(one), { status: 401, ours: true }, 'by us, at the latest the second time')
      }
      const page = await (await request(`${url}/metrics`)).body.text()
      t.notMatch(page, /codex_sidecar_false_negatives_total\S* [1-9]/)
    }
  }
}

t.test('whatever the clock says, good tokens are served and expired ones refused', { skip }, async t => {
  t.setTimeout(0)
  for (const [offset, hours] of [['+0', 0], ['+6h', 6], ['-6h', -6], ['+2h', 2]] as const) {
    await t.test(`a clock that is off by ${hours} hours`, async t => {
      const program = await startWithClock(t, offset)
      t.equal(program.hours(), hours, 'it is')
      await program.check(t, 10)
    })
  }
  await t.test('a clock that jumps by 3 hours while it runs, there and back', async t => {
    const program = await startWithClock(t, '+0')
    for (const offset of ['+0', '+3h', '+0', '-3h', '+3h']) {
      program.jump(offset)
      await program.check(t, 5)
    }
  })
})
