import type { Test } from 'tap'
import { ANSWER } from '../../recovery/answer.ts'
import { startStandIn } from '../../recovery/stand-in.ts'
import { say, type Outcome } from '../conversation.ts'
import { installOpenClaw } from '../installation.ts'
import { benched, forgive, type Bench } from './benched.ts'
import { cases, goodToken, type Asker } from './cases.ts'
import { startOn, type Way } from './ways.ts'

/** Milliseconds that a person waits; for a whole turn with a fault for good, which OpenClaw tries for 100 s; for a gateway's first turn, which loads what the others have. */
const [PATIENCE, LONG, FIRST] = [60_000, 180_000, 180_000]
const WELL = { name: 'well', standing: 'good', times: 0 } as const

/** One measured cell. */
export interface Row {
  readonly version: string
  readonly way: Way
  readonly asker: Asker
  readonly what: string
  readonly outcome: Outcome
  /** Whether the answer was the one that the upstream gave, all of it. */
  readonly whole: boolean
  /** Requests at the upstream with a turn in them, and all. */
  readonly requests: number
  readonly all: number
  readonly bench?: Bench
  /** The main agent's next turn, once all is well and after signing in again. */
  readonly next: Outcome
  readonly alive: boolean
}

/** Plays cases with one gateway that lives through them. */
export async function play (t: Test, { version, way, wanted }: { version: string, way: Way, wanted: readonly [asker: Asker, what: string][] }, tell: (row: Row) => void): Promise<void> {
  const taken = new Set([goodToken('first')])
  const upstream = await startStandIn((_, credential) => taken.has(credential))
  t.teardown(() => { upstream.close() })
  const gateway = await startOn(t, way, await installOpenClaw(version), upstream, goodToken('first'))
  const { operator, home } = gateway
  const ask = (session: string, text: string, limit = PATIENCE): Promise<Outcome> => say(operator, `agent:main:${session}`, text, limit).ended
  /** A turn that has to be answered. */
  async function begin (session: string, limit?: number): Promise<void> {
    const { kind, text } = await ask(session, 'Begin', limit)
    if (kind !== 'answer') throw new Error(`${session} does not begin: ${text}`)
  }
  await begin('first', FIRST)
  await ask('first', '/btw what are we doing?', FIRST)

  let good = goodToken('first')
  let spoilt = false
  for (const [i, [asker, what]] of wanted.entries()) {
    const now = cases.find(({ name }) => name === what)
    if (now === undefined) continue
    const session = `row-${i}`
    if (spoilt) { // of a new one nothing is known, neither to OpenClaw nor to us
      good = goodToken(String(i))
      taken.add(good)
      forgive(home.state)
      await gateway.signIn({ main: good })
    }
    const aside = asker === '/btw'
    if (aside) await begin(session)
    if (now.token !== undefined) await gateway.signIn({ main: now.token(String(i)) })
    upstream.begin(now)
    const outcome = await (aside ? ask(session, '/btw what are we doing?') : ask(session, 'A task', now.times === Infinity ? LONG : PATIENCE))
    const requests = upstream.seen.filter(({ turn }) => turn).length
    const all = upstream.seen.length
    const bench = benched(home.state)
    upstream.begin(WELL)
    if (now.token !== undefined) await gateway.signIn({ main: good })
    const next = await ask(session, 'Go on')
    const alive = gateway.alive && !operator.lost
    tell({ version, way, asker, what, outcome, whole: outcome.text.includes(ANSWER), requests, all, ...bench && { bench }, next, alive })
    spoilt = now.token !== undefined || [outcome, next].some(({ kind }) => kind !== 'answer')
    if (!alive) throw new Error('the gateway is gone')
  }
}
