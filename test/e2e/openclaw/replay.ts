import type { Test } from 'tap'
import { expiredJwt, jwt } from '../../fixtures/token.ts'
import { say, type Outcome } from './conversation.ts'
import { startGateway } from './gateway.ts'
import { MODEL } from './home.ts'
import type { Installation } from './installation.ts'
import { startSidecarProcess } from './sidecar.ts'
import { ANSWER, startStandIn, type Fault, type Standing } from './stand-in.ts'

/** Milliseconds that a person waits for the helper before giving it up. */
const HELPER = 30_000
/** Milliseconds for a turn of the main agent, retries and a busy machine included. */
const TURN = 120_000

export type Way = 'straight' | 'sidecar'
/** `same`: the helper uses the main agent's login. `apart`: it has a provider of its own, at a prefix of its own. */
export type Layout = 'same' | 'apart'

export interface Trial {
  readonly name: string
  readonly layout: Layout
  /** What the upstream thinks of the helper's token. */
  readonly standing: Standing
  /** The same token as in the trial before. */
  readonly again?: boolean
  /**
   * The helper takes whole turns in sessions of its own, as a sub-agent does, instead of answering a `/btw`: one beside the
   * running turn and one after it. OpenClaw benches the login for that, until a turn succeeds with it.
   */
  readonly whole?: boolean
  readonly fault?: Fault
}

/** One measured row. Times are in milliseconds. */
export interface Row extends Trial {
  readonly version: string
  readonly way: Way
  readonly helper: Outcome
  /** Requests and upgrades that the upstream saw with the helper's token, or because of its question. */
  readonly requests: number
  readonly gatewayLived: boolean
  readonly connectionLived: boolean
  readonly turnComplete: boolean
  /** The main agent's next turn; where it shares its login with the helper, after signing in again. */
  readonly next: Outcome
  readonly nextComplete: boolean
}

const dead = ['bad', 'expired', 'revoked'] as const

/** The last one leaves the main agent's login benched, with the sidecar as without, so nothing can come after it. */
export const trials: readonly Trial[] = [
  { name: 'good token', layout: 'same', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'same', standing })),
  { name: 'revoked token, asked again', layout: 'same', standing: 'revoked', again: true },
  ...(['reset', 'hang', 'half', 'refused upgrade'] as const).map((fault): Trial => ({ name: `upstream: ${fault}`, layout: 'same', standing: 'good', fault })),
  { name: 'good token', layout: 'apart', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'apart', standing })),
  { name: 'revoked token', layout: 'apart', standing: 'revoked', whole: true },
  { name: 'revoked token', layout: 'same', standing: 'revoked', whole: true }
]

const madeUp = (standing: Standing, id: string): string => standing === 'expired' ? expiredJwt() : jwt({ jti: id })

/** All trials with one version on one way, in one gateway that lives through them. */
export async function replay (t: Test, installation: Installation, way: Way, chosen: readonly Trial[] = trials) {
  const tokens: Record<string, Standing> = {}
  const issue = (standing: Standing, id: string): string => {
    const token = madeUp(standing, id)
    tokens[token] = standing
    return token
  }
  const good = issue('good', 'main')
  // Each helper has a provider of its own: OpenClaw benches one for a while after a 401.
  const helpers = Object.fromEntries([...chosen.entries()].filter(([, { layout }]) => layout === 'apart').map(([i]) => [`helper-${i}`, issue('good', `helper-${i}`)]))
  const signedIn = { ...helpers, main: good }
  const upstream = await startStandIn(t, tokens)
  const origin = way === 'straight' ? upstream.url : await startSidecarProcess(t, upstream.url)
  const helperPrefix = way === 'straight' ? '/backend-api' : '/helper/backend-api'
  const gateway = await startGateway(t, installation, { main: `${origin}/backend-api`, helper: `${origin}${helperPrefix}` }, signedIn)
  const { operator } = gateway

  /** Begins a session with something to ask about; `/btw` needs one. */
  async function begin (key: string): Promise<void> {
    t.match(await say(operator, key, 'Begin, please', TURN).ended, { kind: 'answer', text: ANSWER.main }, `${key}: a first turn is answered whole`)
  }

  const rows: Row[] = []
  let last = good
  for (const [i, trial] of chosen.entries()) {
    const { layout, standing, fault, again, whole } = trial
    const main = `agent:main:case-${i}` // a new session has a WebSocket of its own, and remembers no failure
    const session = layout === 'same' && whole !== true ? main : `agent:main:aside-${i}`
    await begin(main)
    const place = async (key: string): Promise<void> => { if (layout === 'apart') await operator.call('sessions.patch', { key, model: `helper-${i}/${MODEL}` }) }
    await place(session)
    if (session !== main && whole !== true) await begin(session) // one that has begun has a WebSocket, and asks for no login again
    const release = upstream.hold()
    const turn = say(operator, main, `Task ${i}`, TURN)
    await turn.begun
    if (standing !== 'good') {
      if (again !== true) last = issue(standing, `${layout}-${standing}-${i}`)
      await gateway.signIn({ ...signedIn, [layout === 'same' ? 'main' : `helper-${i}`]: last })
    }
    upstream.order.asker = 'helper'
    if (fault !== undefined) upstream.order.fault = fault
    const before = upstream.seen.length
    const helper = await say(operator, session, whole === true ? 'A task of your own' : '/btw what are we doing?', HELPER).ended
    const requests = upstream.seen.slice(before).filter(seen => seen.standing === standing).length
    delete upstream.order.fault
    upstream.order.asker = 'main'
    release()
    const running = await turn.ended
    if (whole === true) {
      await place(`${session}-again`)
      await say(operator, `${session}-again`, 'And another one', HELPER).ended
    }
    if (layout === 'same') await gateway.signIn(signedIn) // apart, the main agent's login was never touched
    const next = await say(operator, main, `Go on after ${i}`, TURN).ended
    rows.push({
      ...trial, version: installation.version, way, helper, requests,
      gatewayLived: gateway.alive, connectionLived: !operator.lost,
      turnComplete: running.kind === 'answer' && running.text === ANSWER.main,
      next, nextComplete: next.kind === 'answer' && next.text === ANSWER.main
    })
    t.comment(JSON.stringify(rows.at(-1)))
  }
  return { rows, outside: gateway.outside, said: () => gateway.said, seen: upstream.seen }
}
