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
  /** The main agent's next turn. */
  readonly next: Outcome
  readonly nextComplete: boolean
}

const dead = ['bad', 'expired', 'revoked'] as const

/** The order matters: a benched login is seen in the turn after it. */
export const trials: readonly Trial[] = [
  { name: 'good token', layout: 'same', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'same', standing })),
  { name: 'revoked token, asked again', layout: 'same', standing: 'revoked', again: true },
  ...(['reset', 'hang', 'half', 'refused upgrade'] as const).map((fault): Trial => ({ name: `upstream: ${fault}`, layout: 'same', standing: 'good', fault })),
  { name: 'good token', layout: 'apart', standing: 'good' },
  ...dead.map((standing): Trial => ({ name: `${standing} token`, layout: 'apart', standing }))
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
  const own = issue('good', 'helper') // the helper's own good login
  const upstream = await startStandIn(t, tokens)
  const origin = way === 'straight' ? upstream.url : await startSidecarProcess(t, upstream.url)
  const helperPrefix = way === 'straight' ? '/backend-api' : '/helper/backend-api'
  const gateway = await startGateway(t, installation, { main: `${origin}/backend-api`, helper: `${origin}${helperPrefix}` }, { main: good, helper: own })
  const { operator } = gateway
  const main = 'agent:main:main'
  const aside = 'agent:main:aside'

  const first = await say(operator, main, 'Begin, please', TURN).ended
  t.match(first, { kind: 'answer', text: ANSWER.main }, 'a first turn is answered whole')
  if (chosen.some(({ layout }) => layout === 'apart')) {
    await operator.call('sessions.patch', { key: aside, model: `helper/${MODEL}` })
    const begun = await say(operator, aside, 'Begin here too, please', TURN).ended
    t.match(begun, { kind: 'answer', text: ANSWER.main }, 'a first turn with a provider of its own is answered whole')
  }

  const rows: Row[] = []
  let last = good
  for (const [i, trial] of chosen.entries()) {
    const { layout, standing, fault, again } = trial
    const session = layout === 'same' ? main : aside
    upstream.order.slow = true
    const turn = say(operator, main, `Task ${i}`, TURN)
    await turn.begun
    upstream.order.slow = false
    const token = again === true ? last : standing === 'good' ? (layout === 'same' ? good : own) : issue(standing, `${layout}-${standing}-${i}`)
    last = token
    await gateway.signIn(layout === 'same' ? { main: token, helper: own } : { main: good, helper: token })
    if (fault !== undefined) upstream.order.fault = fault
    const before = upstream.seen.length
    const helper = await say(operator, session, '/btw what are we doing?', HELPER).ended
    const requests = upstream.seen.length - before
    delete upstream.order.fault
    await gateway.signIn({ main: good, helper: own })
    const running = await turn.ended
    const next = await say(operator, main, `Go on after ${i}`, TURN).ended
    rows.push({
      ...trial, version: installation.version, way, helper, requests,
      gatewayLived: gateway.alive, connectionLived: !operator.lost,
      turnComplete: running.kind === 'answer' && running.text === ANSWER.main,
      next, nextComplete: next.kind === 'answer' && next.text === ANSWER.main
    })
    t.comment(JSON.stringify(rows.at(-1)))
  }
  return { rows, outside: gateway.outside, home: gateway.home.folder, said: () => gateway.said, seen: upstream.seen }
}
