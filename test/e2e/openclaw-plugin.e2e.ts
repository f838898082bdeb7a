import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { jwt } from '../fixtures/token.ts'
import { say } from './openclaw/conversation.ts'
import { startGateway } from './openclaw/gateway.ts'
import { installOpenClaw } from './openclaw/installation.ts'
import { ANSWER, startStandIn, type Standing } from './openclaw/stand-in.ts'

// config/openclaw-plugin in the real OpenClaw: installed with its own commands, used, and taken out again. Without a base URL
// for openai OpenClaw would look for its Codex plugin at npm at every command.

const VERSION = '2026.9.6'
const TURN = 120_000
const folder = join(import.meta.dirname, '..', '..', 'config', 'openclaw-plugin')
t.setTimeout(1_800_000)

/** The last codex-sidecar that the plugin has said it started. */
const startedBy = (said: string): number => Number([...said.matchAll(/codex-sidecar listens at \S+ \(pid (\d+)\)/g)].at(-1)?.[1])

const isAlive = (pid: number): boolean => { try { return process.kill(pid, 0) } catch { return false } }

async function until (what: () => boolean): Promise<void> {
  while (!what()) await sleep(50)
}

t.test(`OpenClaw ${VERSION} with the plugin`, async (t: Test) => {
  const [good, dead] = [jwt({ jti: 'good' }), jwt({ jti: 'dead' })]
  const tokens: Record<string, Standing> = { [good]: 'good', [dead]: 'revoked' }
  const upstream = await startStandIn(t, tokens)
  const installation = await installOpenClaw(VERSION)
  const gateway = await startGateway(t, installation, { main: `${upstream.url}/backend-api`, helper: upstream.url }, { main: good }, {
    variables: { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api/` },
    typed: [['plugins', 'install', '--link', folder, '--force', '--accept-capabilities'], ['models', 'set', 'codex-sidecar/gpt-5.4']]
  })
  const { operator } = gateway
  const ask = (session: string, message = 'Say hello') => say(operator, `agent:main:${session}`, message, TURN).ended
  const milliseconds: Record<string, number> = {}
  /** Until the main agent's next turn works. */
  async function untilAnswered (name: string): Promise<void> {
    const began = performance.now()
    while ((await ask('main')).kind !== 'answer' && performance.now() - began < TURN) await sleep(500)
    milliseconds[name] = Math.round(performance.now() - began)
  }

  t.match(await ask('main'), { kind: 'answer', text: ANSWER.main }, 'a whole turn goes through codex-sidecar')
  upstream.order.asker = 'helper'
  t.match(await ask('main', '/btw what are we doing?'), { kind: 'answer', text: ANSWER.helper }, 'a /btw too')
  t.notOk(upstream.seen.some(({ kind }) => kind === 'upgrade'), 'the provider of the name openai, which opens WebSockets, is not asked')

  await gateway.signIn({ main: dead })
  t.match(await ask('main', '/btw what are we doing?'), { kind: 'error', text: /Invalid bearer token - .*Sign in again/s }, 'a helper with a dead token says cause and remedy')
  const asked = upstream.seen.length
  const failed = await Promise.all(Array.from({ length: 5 }, (_, i) => ask(`helper-${i}`)))
  t.ok(failed.every(({ kind }) => kind === 'error'), `five whole turns with it fail: ${failed[0]?.text ?? ''}`)
  t.ok(upstream.seen.length - asked <= 1, 'and the upstream sees next to nothing of them')
  await gateway.signIn({ main: good })
  upstream.order.asker = 'main'
  t.match(await ask('main'), { kind: 'answer', text: ANSWER.main }, 'signed in again, the very next turn works: the login was not benched')

  // How long depends on what codex-sidecar itself holds against a token that is refused again and again.
  await gateway.signIn({ main: dead })
  await ask('sub-agent')
  tokens[dead] = 'good'
  await untilAnswered('shared login, until the next turn works')
  await gateway.signIn({ main: good })

  const release = upstream.hold()
  const turn = say(operator, 'agent:main:main', 'A task', TURN)
  await turn.begun
  const killed = startedBy(gateway.said)
  process.kill(killed, 'SIGKILL')
  release()
  const { kind, text, ms } = await turn.ended
  t.comment(`codex-sidecar killed within a turn: ${kind} after ${ms} ms: ${text}`)
  t.equal(kind, 'answer', 'a turn in which codex-sidecar is killed is answered all the same')
  await untilAnswered('killed within a turn, until the next turn works')
  t.not(startedBy(gateway.said), killed, 'it has been started again')
  t.comment(JSON.stringify(milliseconds))

  const last = startedBy(gateway.said)
  t.ok(isAlive(last))
  await gateway.stop()
  await until(() => !isAlive(last))
  t.pass('it ends with the gateway')

  const typed = await readFile(gateway.home.config, 'utf8')
  t.match(typed, /codex-sidecar/, 'the configuration names it')
  gateway.type(['plugins', 'uninstall', 'codex-sidecar', '--force'])
  gateway.type(['models', 'set', 'openai/gpt-5.4'])
  t.notMatch(await readFile(gateway.home.config, 'utf8'), folder, 'nothing of it is named any more')
  t.comment(await readFile(gateway.home.config, 'utf8'))
})
