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
  /** The main agent is asked once more before anybody signs in. */
  readonly early?: boolean
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
  /** The main agent's turn with the dead token, where it was asked before anybody signed in. */
  readonly beforeSignIn?: Outcome
  /** The main agent's next turn; where it shares its login with the helper, after signing in again. */
  readonly next: Outcome
  readonly nextComplete: boolean
}

const dead = ['bad', 'expired', 'revoked'] as const

/** The last one leaves the main agent's login benched, so nothing can come after it. */
export const trials: readonly Trial[] = [
  { name: 'good token', layout: 'same', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'same', standing })),
  { name: 'revoked token, asked again', layout: 'same', standing: 'revoked', again: true },
  ...(['reset', 'hang', 'half', 'refused upgrade'] as const).map((fault): Trial => ({ name: `upstream: ${fault}`, layout: 'same', standing: 'good', fault })),
  { name: 'good token', layout: 'apart', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'apart', standing })),
  { name: 'revoked token, then a turn before signing in', layout: 'same', standing: 'revoked', early: true }
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
  // A provider for the helpers of each kind: OpenClaw benches one for a while after a 401.
  const helpers = Object.fromEntries((['good', ...dead] as const).map(standing => [`helper-${standing}`, issue('good', `helper-${standing}`)]))
  const signedIn = { ...helpers, main: good }
  const upstream = await startStandIn(t, tokens)
  const origin = way === 'straight' ? upstream.url : await startSidecarProcess(t, upstream.url)
  const helperPrefix = way === 'straight' ? '/backend-api' : '/helper/backend-api'
  const gateway = await startGateway(t, installation, { main: `${origin}/backend-api`, helper: `${origin}${helperPrefix}` }, signedIn)
  const { operator } = gateway

  /** A session with something to ask about; `/btw` needs one. */
  async function begin (key: string, model?: string): Promise<void> {
    if (model !== undefined) await operator.call('sessions.patch', { key, model })
    t.match(await say(operator, key, 'Begin, please', TURN).ended, { kind: 'answer', text: ANSWER.main }, `${key}: a first turn is answered whole`)
  }

  const rows: Row[] = []
  let last = good
  for (const [i, trial] of chosen.entries()) {
    const { layout, standing, fault, again, early } = trial
    const main = `agent:main:case-${i}` // a new session has a WebSocket of its own, and remembers no failure
    const session = layout === 'same' ? main : `agent:main:aside-${i}`
    await begin(main)
    if (layout === 'apart') await begin(session, `helper-${standing}/${MODEL}`)
    upstream.order.slow = true
    const turn = say(operator, main, `Task ${i}`, TURN)
    await turn.begun
    upstream.order.slow = false
    if (standing !== 'good') {
      if (again !== true) last = issue(standing, `${layout}-${standing}-${i}`)
      await gateway.signIn({ ...signedIn, [layout === 'same' ? 'main' : `helper-${standing}`]: last })
    }
    upstream.order.asker = 'helper'
    if (fault !== undefined) upstream.order.fault = fault
    const before = upstream.seen.length
    const helper = await say(operator, session, '/btw what are we doing?', HELPER).ended
    const requests = upstream.seen.length - before
    delete upstream.order.fault
    upstream.order.asker = 'main'
    const running = await turn.ended
    const beforeSignIn = early === true ? { beforeSignIn: await say(operator, main, `Go on with ${i}`, TURN).ended } : {}
    if (layout === 'same') await gateway.signIn(signedIn) // apart, the main agent's login was never touched
    const next = await say(operator, main, `Go on after ${i}`, TURN).ended
    rows.push({
      ...trial, version: installation.version, way, helper, requests, ...beforeSignIn,
      gatewayLived: gateway.alive, connectionLived: !operator.lost,
      turnComplete: running.kind === 'answer' && running.text === ANSWER.main,
      next, nextComplete: next.kind === 'answer' && next.text === ANSWER.main
    })
    t.comment(JSON.stringify(rows.at(-1)))
  }
  return { rows, outside: gateway.outside, said: () => gateway.said, seen: upstream.seen }
}
