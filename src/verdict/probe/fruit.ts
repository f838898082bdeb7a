import type { ProbeOutcome } from '../verdict.ts'

/** Questions in a row without an answer that says anything, after which a route is not asked for a while. */
const BARREN = 3
/** ms for which it is not asked then, at first and at most; doubled each time the next question says nothing either. */
const PAUSE = { first: 15_000, longest: 120_000 }

interface Yield { barren: number, pause: number, until: number }

/**
 * Whether questions to a route are worth it: while its probe tells nobody apart, each new token would cost the upstream
 * one request more for nothing (a client with a new token for each try).
 */
export class Fruit {
  readonly #routes = new Map<string, Yield>()

  /** Whether a question at `now`, monotonic ms, may say anything. */
  expected (prefix: string, now: number): boolean { return now >= (this.#routes.get(prefix)?.until ?? 0) }

  /** Takes in what a question came to. */
  came (prefix: string, outcome: ProbeOutcome, now: number): void {
    if (outcome === 'active' || outcome === 'inactive') {
      this.#routes.delete(prefix)
      return
    }
    const { barren, pause } = this.#routes.get(prefix) ?? { barren: 0, pause: PAUSE.first }
    const paused = barren + 1 >= BARREN
    this.#routes.set(prefix, { barren: barren + 1, pause: paused ? Math.min(pause * 2, PAUSE.longest) : pause, until: paused ? now + pause : 0 })
  }
}
