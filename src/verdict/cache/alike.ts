import { LRUCache } from 'lru-cache'
import type { Key } from '../../credential/credential.ts'
import type { Inactive } from '../verdict.ts'
import { count, tallyFrom, type Suspect } from './entry.ts'

/** ms within which a second 401 without a reason must follow the first one to say anything. */
const WINDOW = 30_000

/** What the second one comes to. */
export const twice: Inactive = { state: 'inactive', reason: 'token_rejected', source: 'upstream', detail: 'with 401 twice in a row, without saying why' }

/**
 * Tokens that got a 401 without a reason. One such answer says nothing, since good tokens get them too
 * (openai/codex#39578); a second one counts only where its request began after the first answer was there.
 */
export class Suspicion {
  readonly #suspects: LRUCache<Key, Suspect>

  /** @param entries kept at most, apart from verdicts: junk must not push those out */
  constructor (entries: number) { this.#suspects = new LRUCache({ max: entries }) }

  get size (): number { return this.#suspects.size }

  /** Whether a 401 without a reason stands against the token of a request at `now`, ms. */
  holds (key: Key, now: number): boolean {
    const suspect = this.#suspects.get(key)
    if (suspect === undefined || now > suspect.until) return false
    count(suspect.tally, now)
    return true
  }

  /**
   * Adds such an answer to a request that began at `order` in the order of all events; it came at `answeredAt`.
   * @returns whether it is the second one
   */
  add (key: Key, { order, answeredAt, now }: { order: number, answeredAt: number, now: number }): boolean {
    const first = this.#suspects.peek(key)
    if (first !== undefined && now <= first.until) return order > first.answeredAt
    this.#suspects.set(key, { until: now + WINDOW, answeredAt, madeAt: now, tally: tallyFrom(now) })
    return false
  }

  clear (key: Key): void { this.#suspects.delete(key) }

  keys (): IterableIterator<Key> { return this.#suspects.keys() }

  /** Those used last first. */
  [Symbol.iterator] (): IterableIterator<[Key, Suspect]> { return this.#suspects.entries() }
}
