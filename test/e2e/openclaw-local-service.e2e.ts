import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../fixtures/free-port.ts'
import { jwt } from '../fixtures/token.ts'
import { say } from './openclaw/conversation.ts'
import { startGateway } from './openclaw/gateway.ts'
import { installOpenClaw } from './openclaw/installation.ts'
import { ANSWER, startStandIn } from './openclaw/stand-in.ts'
import { withLocalService } from './openclaw/table/ways.ts'
import { processesOf } from './processes.ts'

// OpenClaw starts codex-sidecar by itself, by `localService`: what a person sees when it is killed, and how long until the next turn works.

const VERSION = '2026.9.6'
const TURN = 120_000
t.setTimeout(900_000)

t.test(`OpenClaw ${VERSION} with localService`, async (t: Test) => {
  const good = jwt({ jti: 'good' })
  const upstream = await startStandIn(t, { [good]: 'good' })
  const port = await freePort()
  const base = `http://127.0.0.1:${port}/backend-api`
  const { operator } = await startGateway(t, await installOpenClaw(VERSION), { main: base, helper: base }, { main: good }, {
    variables: { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api/` }, adapt: withLocalService(port)
  })
  const ask = (message: string) => say(operator, 'agent:main:main', message, TURN).ended
  const pid = (): number => Number.parseInt(processesOf(`--port=${port}`)[0] ?? '')
  const measured: Record<string, unknown> = {}
  /** Until whoever asks is answered. */
  async function untilAnswered (name: string, message: string): Promise<void> {
    const began = performance.now()
    while ((await ask(message)).kind !== 'answer' && performance.now() - began < TURN) await sleep(500)
    measured[name] = Math.round(performance.now() - began)
    t.ok(performance.now() - began < TURN, `${name}: ${String(measured[name])} ms`)
  }

  t.match(await ask('Say hello'), { kind: 'answer', text: ANSWER.main }, 'a whole turn starts codex-sidecar and goes through it')
  const first = pid()
  t.ok(first > 0, 'it runs')

  const release = upstream.hold()
  const turn = say(operator, 'agent:main:main', 'A task', TURN)
  await turn.begun
  process.kill(first, 'SIGKILL')
  release()
  const { kind, text, ms } = await turn.ended
  t.not(kind, 'silence', `a turn in which it is killed ends: ${kind} after ${ms} ms: ${text}`)
  t.notOk(kind === 'answer' && text !== ANSWER.main, 'half an answer is never all of it')
  await untilAnswered('killed within a turn, until the next one is answered', 'Say hello')

  process.kill(pid(), 'SIGKILL')
  upstream.order.asker = 'helper'
  await untilAnswered('killed between turns, until a /btw is answered', '/btw what are we doing?')
  t.not(pid(), first, 'another one runs')
  t.comment(JSON.stringify({ 'killed within a turn': `${kind} after ${ms} ms`, ...measured }))
})
