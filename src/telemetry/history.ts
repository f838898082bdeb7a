import { outcomes, outcomeOf, type Outcome } from './outcome.ts'
import type { RequestRecord } from './record.ts'

/** Minutes that are kept. */
const MINUTES = 60
/** Events that are kept. */
const EVENTS = 100
const MINUTE = 60_000
/** Durations are counted by powers of two of a microsecond. */
const POWERS = 32

/** One minute. */
interface Minute { readonly number: number, readonly counts: Record<Outcome, number>, readonly added: Uint32Array, readonly upstream: Uint32Array }

/** What is marked beside the requests. */
export interface HistoryEvent {
  /** ms since 1970. */
  readonly at: number
  readonly kind: 'verdict' | 'circuit' | 'configuration'
  readonly words: string
}

/** A minute as it is told. */
export interface ToldMinute extends Record<Outcome, number> {
  /** Its beginning, ms since 1970. */
  readonly at: number
  /** ms that we added, the middle one of the minute's requests; null where there is none. */
  readonly addedMs: number | null
  /** ms that the upstream took, the same. */
  readonly upstreamMs: number | null
}

const note = (powers: Uint32Array, ms: number): void => {
  const power = 32 - Math.clz32(Math.min(ms * 1000, 2 ** 31 - 1))
  powers[power] = (powers[power] as number) + 1
}

/** The middle one, as exact as powers of two are, ms. */
function middle (powers: Uint32Array): number | null {
  const all = powers.reduce((sum, some) => sum + some, 0)
  let before = 0
  const power = powers.findIndex(some => (before += some) * 2 >= all)
  return all === 0 ? null : Math.round(2 ** power * 0.75) / 1000
}

/** The last hour by minutes, and what happened in it. Its size is fixed. */
export class History {
  readonly #minutes: (Minute | undefined)[] = new Array<undefined>(MINUTES).fill(undefined)
  readonly #events: HistoryEvent[] = []

  /** A request is over; what is asked of our own paths is not counted. */
  finished (record: RequestRecord): void {
    const { route, endedAt, guardMs, upstreamMs } = record
    if (route === undefined) return
    const minute = this.#minute(Math.floor(endedAt / MINUTE))
    minute.counts[outcomeOf(record)]++
    if (guardMs === undefined) return
    note(minute.added, guardMs)
    if (upstreamMs !== undefined) note(minute.upstream, upstreamMs - guardMs)
  }

  /** Something happened that may explain what follows. */
  mark (event: HistoryEvent): void {
    const { at, kind, words } = event
    if (this.#events.some(other => other.kind === kind && other.words === words && other.at > at - MINUTE)) return // each lane has a circuit
    this.#events.push(event)
    if (this.#events.length > EVENTS) this.#events.shift()
  }

  /** @param now ms since 1970 */
  told (now: number): { minutes: ToldMinute[], events: HistoryEvent[] } {
    const last = Math.floor(now / MINUTE)
    return {
      minutes: Array.from({ length: MINUTES }, (_, i) => {
        const number = last - MINUTES + 1 + i
        const minute = this.#minutes[number % MINUTES]
        const { counts, added, upstream } = minute?.number === number ? minute : emptyMinute(number)
        return { at: number * MINUTE, ...counts, addedMs: middle(added), upstreamMs: middle(upstream) }
      }),
      events: this.#events.filter(({ at }) => at >= (last - MINUTES + 1) * MINUTE)
    }
  }

  #minute (number: number): Minute {
    const kept = this.#minutes[number % MINUTES]
    return kept?.number === number ? kept : this.#minutes[number % MINUTES] = emptyMinute(number)
  }
}

const emptyMinute = (number: number): Minute => ({
  number, counts: Object.fromEntries(outcomes.map(outcome => [outcome, 0])) as Record<Outcome, number>, added: new Uint32Array(POWERS), upstream: new Uint32Array(POWERS)
})
