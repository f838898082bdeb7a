import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { expiredJwt, jwt } from '../fixtures/token.ts'
import { say } from './openclaw/conversation.ts'
import { startGateway } from './openclaw/gateway.ts'
import { installOpenClaw } from './openclaw/installation.ts'
import { ANSWER, startStandIn, type Standing } from './openclaw/stand-in.ts'

// config/openclaw-plugin in the real OpenClaw: put into its configuration by `setup openclaw --plugin`, used, and taken out again.

const VERSION = '2026.9.6'
const TURN = 120_000
const HELPERS = 20
/** Milliseconds that a rejection holds at first (`times.inactive`). */
const HOLD = 15_000
const program = join(import.meta.dirname, '..', '..', 'dist', 'main.js')
t.setTimeout(1_800_000)

/** The last codex-sidecar that the plugin has said it started. */
const startedBy = (said: string): number => Number([...said.matchAll(/codex-sidecar listens at \S+ \(pid (\d+)\)/g)].at(-1)?.[1])

const isAlive = (pid: number): boolean => { try { return process.kill(pid, 0) } catch { return false } }

async function until (what: () => boolean): Promise<void> {
  while (!what()) await sleep(50)
}

/** `codex-sidecar setup openclaw --plugin …`, as a person types it. */
function setup (config: string, word: '--write' | '--undo'): void {
  const { status, stderr } = spawnSync(process.execPath, [program, 'setup', 'openclaw', '--plugin', word, '--yes'], { env: { PATH: process.env['PATH'], HOME: '/nowhere', OPENCLAW_CONFIG_PATH: config }, encoding: 'utf8' })
  if (status !== 0) throw new Error(`setup ${word}: ${stderr}`)
}

t.test(`OpenClaw ${VERSION} with the plugin`, async (t: Test) => {
  const [good, dead, other] = [jwt({ jti: 'good' }), jwt({ jti: 'dead' }), jwt({ jti: 'other' })]
  const tokens: Record<string, Standing> = { [good]: 'good', [dead]: 'revoked', [other]: 'good' }
  const upstream = await startStandIn(t, tokens)
  const installation = await installOpenClaw(VERSION)
  let before = Buffer.alloc(0)
  const logins = (main: string) => ({ main, other })
  // Without a base URL for openai OpenClaw would look for its Codex plugin at npm at every command.
  const gateway = await startGateway(t, installation, { main: `${upstream.url}/backend-api`, helper: `${upstream.url}/backend-api` }, logins(good), {
    variables: { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api/`, OPENCLAW_SKIP_CRON: '' },
    adapt: config => ({ ...config, cron: { enabled: true } }),
    prepare: config => {
      before = readFileSync(config)
      setup(config, '--write')
    }
  })
  const { operator, home } = gateway
  const ask = (session: string, message = 'Say hello') => say(operator, `agent:main:${session}`, message, TURN).ended
  const measured: Record<string, unknown> = {}
  /** Until the main agent's next turn works. */
  async function untilAnswered (name: string): Promise<void> {
    const began = performance.now()
    while ((await ask('main')).kind !== 'answer' && performance.now() - began < TURN) await sleep(500)
    measured[name] = Math.round(performance.now() - began)
  }

  t.match(await ask('main'), { kind: 'answer', text: ANSWER.main }, 'a whole turn goes through codex-sidecar')
  upstream.order.asker = 'helper'
  t.match(await ask('main', '/btw what are we doing?'), { kind: 'answer', text: ANSWER.helper }, 'a /btw too')
  t.notOk(upstream.seen.some(({ kind }) => kind === 'upgrade'), 'the provider of the name openai, which opens WebSockets, is not asked')

  await t.test(`${HELPERS} helpers at once with dead tokens beside a turn that streams`, async t => {
    for (const [name, token] of Object.entries({ revoked: dead, expired: expiredJwt() })) {
      upstream.order.asker = 'main'
      const places = Array.from({ length: HELPERS }, (_, i) => ({ session: `${name}-${i}`, message: i % 2 === 0 ? 'A task of your own' : '/btw what are we doing?' }))
      for (const { session, message } of places) if (message.startsWith('/btw')) await ask(session, 'Begin') // it needs something to ask about
      const release = upstream.hold()
      const turn = say(operator, 'agent:main:main', 'A task', TURN)
      await turn.begun
      upstream.order.asker = 'helper'
      await gateway.signIn(logins(token))
      const asked = upstream.seen.length
      const began = performance.now()
      const helpers = await Promise.all(places.map(({ session, message }) => ask(session, message)))
      const [ms, requests] = [Math.round(performance.now() - began), upstream.seen.length - asked]
      measured[`${HELPERS} helpers, ${name}`] = { ms, requests }
      t.ok(helpers.every(({ kind }) => kind === 'error'), `${name}: each of them fails`)
      for (const text of new Set(helpers.map(({ text }) => text))) t.match(text, /Sign in again|needs a new login|Re-authenticate/, `${name}: and says what to do: ${text}`)
      t.ok(requests <= 1 + ms / HOLD, `${name}: the upstream is asked ${requests} times in ${ms} ms, once for each time that a rejection holds`)
      release()
      t.match(await turn.ended, { kind: 'answer', text: ANSWER.main }, `${name}: the turn beside them is whole`)
      await gateway.signIn(logins(good))
      upstream.order.asker = 'main'
      t.match(await ask('main'), { kind: 'answer', text: ANSWER.main }, `${name}: signed in again, the very next turn works: the login was not benched`)
      t.ok(gateway.alive && !operator.lost, `${name}: the gateway and its client live`)
    }
  })

  await t.test('what a person reads of a whole turn with a dead token', async t => {
    const read: string[] = []
    const unwatch = operator.watch(({ name, payload }) => { if (name === 'chat') read.push(JSON.stringify(payload)) })
    await gateway.signIn(logins(expiredJwt()))
    t.match(await ask('reader'), { kind: 'error' })
    await until(() => read.some(text => text.includes('needs a new login')))
    unwatch()
    t.match(read.join('\n'), /Invalid bearer token - it expired at .*Sign in again/, 'our cause and remedy')
    t.match(read.join('\n'), /Send `\/login openai`/, 'OpenClaw’s own offer of a login')
    await gateway.signIn(logins(good))
  })

  await t.test('turns that nobody sits before', async t => {
    const { id } = await operator.call('cron.add', {
      name: 'nightly', enabled: true, sessionTarget: 'isolated', wakeMode: 'now', schedule: { kind: 'every', everyMs: 86_400_000 }, payload: { kind: 'agentTurn', message: 'Do it' }, delivery: { mode: 'none' }
    }) as { id: string }
    const run = async (): Promise<object> => {
      const ended = new Promise<object>(resolve => {
        const unwatch = operator.watch(({ name, payload }) => {
          if (name !== 'cron' || payload['action'] !== 'finished') return
          unwatch()
          resolve(payload)
        })
      })
      await operator.call('cron.run', { id, mode: 'force' })
      return await ended
    }
    t.match(await run(), { status: 'ok' }, 'cron works')
    await gateway.signIn(logins(dead))
    const failed = await run()
    t.match(failed, { status: 'error' }, `cron with a dead token fails: ${JSON.stringify(failed)}`)
    await gateway.signIn(logins(good))
    t.match(await run(), { status: 'ok' }, 'and works again at once')
    t.match(await ask('main'), { kind: 'answer' }, 'as does the main agent')
  })

  // How long depends on what codex-sidecar itself holds against a token that is refused again and again.
  await gateway.signIn(logins(dead))
  await ask('sub-agent')
  tokens[dead] = 'good'
  await untilAnswered('the same token is good again, until the next turn works')
  await gateway.signIn(logins(good))

  const release = upstream.hold()
  const turn = say(operator, 'agent:main:main', 'A task', TURN)
  await turn.begun
  const killed = startedBy(gateway.said)
  process.kill(killed, 'SIGKILL')
  const began = performance.now()
  await until(() => startedBy(gateway.said) !== killed)
  measured['killed, until it listens again'] = Math.round(performance.now() - began)
  release()
  const { kind, text, ms } = await turn.ended
  t.equal(kind, 'answer', `a turn in which codex-sidecar is killed is answered all the same (${ms} ms): ${text}`)
  await untilAnswered('killed within a turn, until the next turn works')
  t.comment(JSON.stringify(measured))

  const last = startedBy(gateway.said)
  t.ok(isAlive(last))
  await gateway.stop()
  await until(() => !isAlive(last))
  t.pass('it ends with the gateway')

  t.match(readFileSync(home.config, 'utf8'), /codex-sidecar/, 'the configuration names it')
  setup(home.config, '--undo')
  t.same(readFileSync(home.config), before, 'taken out, OpenClaw’s configuration is what it was, byte for byte')
})
