import { LRUCache } from 'lru-cache'
import type { Key } from '../../credential/credential.ts'
import type { Inactive } from '../verdict.ts'
import { count, tallyFrom, type AlikeEntry, type InactiveEntry } from './entry.ts'
import { reject, wasAsked, type Holds } from './rejection.ts'
import { nameOf, type Ticket } from './ticket.ts'

/** ms within which a second 401 without a reason must follow the first one to say anything. */
const WINDOW = 30_000

/** Kinds of requests with one token that are kept. */
const KINDS = 16

/**
 * What holds for requests of one token that are like one another, and says nothing about its other requests. One 401
 * without a reason says nothing at all, since good tokens get them too (openai/codex#39578); a second one counts only
 * where its request began after the first answer was there.
 */
export class Alike {
  readonly #tokens: LRUCache<Key, Map<string, AlikeEntry>>

  /** @param entries tokens kept at most, apart from verdicts: junk must not push those out */
  constructor (entries: number) { this.#tokens = new LRUCache({ max: entries }) }

  get size (): number { return this.#tokens.size }

  /** Whether a 401 without a reason stands against requests like this one. */
  suspects (ticket: Ticket, now: number): boolean {
    const entry = this.#peek(ticket)
    if (entry === undefined || now > entry.suspectUntil) return false
    count(entry.tally, now)
    return true
  }

  /** What stands against requests like this one. Nearly no token has an entry, so that nearly no request is named. */
  rejection (ticket: Ticket): InactiveEntry | undefined { return this.#peek(ticket)?.rejection }

  /**
   * Adds a 401 without a reason, which came at `answeredAt` in the order of all events.
   * @returns whether it is the second one
   */
  suspect (ticket: Ticket, answeredAt: number, now: number): boolean {
    const entry = this.#entry(ticket, now)
    const second = now <= entry.suspectUntil && ticket.order > entry.answeredAt
    if (second || now > entry.suspectUntil) {
      entry.suspectUntil = now + WINDOW
      entry.answeredAt = answeredAt
    }
    return second
  }

  /** Holds a rejection against requests like this one. Those that were under way together say the same thing once. */
  reject (ticket: Ticket, verdict: Inactive, how: Holds & { now: number, learnedAt: number, doubling: boolean }): Inactive {
    const entry = this.#entry(ticket, how.now)
    if (entry.rejection !== undefined && ticket.order < entry.rejection.learnedAt) return entry.rejection.verdict
    entry.madeAt = how.now
    entry.rejection = reject(entry.rejection, verdict, how)
    return verdict
  }

  /** Forgets the rejection whose asker got no answer to it: in doubt, forward. */
  unanswered (ticket: Ticket, now: number): void {
    const entry = this.#peek(ticket)
    if (entry !== undefined && wasAsked(entry.rejection, ticket.order, now)) entry.rejection = undefined
  }

  /** A request like these was answered well. */
  accept ({ key, like }: Ticket): void {
    const kinds = this.#tokens.peek(key)
    if (kinds?.delete(nameOf(like)) === true && kinds.size === 0) this.#tokens.delete(key)
  }

  /** Nothing is suspect any more: the probe has cleared the token. */
  clearSuspicion (key: Key): void {
    for (const entry of this.#tokens.peek(key)?.values() ?? []) entry.suspectUntil = -Infinity
  }

  clear (key: Key): void { this.#tokens.delete(key) }

  keys (): IterableIterator<Key> { return this.#tokens.keys() }

  /** Those used last first. */
  * [Symbol.iterator] (): Generator<[Key, AlikeEntry]> {
    for (const [key, kinds] of this.#tokens.entries()) for (const entry of kinds.values()) yield [key, entry]
  }

  #peek ({ key, like }: Ticket): AlikeEntry | undefined {
    return this.#tokens.size === 0 ? undefined : this.#tokens.get(key)?.get(nameOf(like))
  }

  #entry ({ key, like }: Ticket, now: number): AlikeEntry {
    const kinds = this.#tokens.get(key) ?? new Map<string, AlikeEntry>()
    this.#tokens.set(key, kinds)
    const name = nameOf(like)
    const entry = kinds.get(name) ?? { suspectUntil: -Infinity, answeredAt: 0, rejection: undefined, madeAt: now, tally: tallyFrom(now) }
    kinds.delete(name) // what is used last stands last
    kinds.set(name, entry)
    if (kinds.size > KINDS) kinds.delete(kinds.keys().next().value as string)
    return entry
  }
}
