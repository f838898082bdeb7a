import { LRUCache } from 'lru-cache'
import type { Key } from '../../credential/credential.ts'
import type { Inactive } from '../verdict.ts'
import { count, tallyFrom, type AlikeEntry, type InactiveEntry } from './entry.ts'
import { reject, wasAsked, type Holds } from './rejection.ts'
import { nameOf, type Ticket } from './ticket.ts'

/** ms within which a further 401 must follow the last one to be the next in a row. */
const WINDOW = 30_000

/**
 * 401s without a reason in a row that say something, and how many of them must be answers to requests like one another.
 * Good requests get one in a hundred: two in a row happen every day, four to one request in a hundred million.
 */
const ENOUGH = { inAll: 4, alike: 2 }

/** What a route's probe asks stands here under one name, apart from requests to the same path. */
const PROBE = 'probe'

/** Kinds of requests with one token that are kept. */
const KINDS = 16

/**
 * What holds for requests of one token that are like one another, and says nothing about its other requests. One 401
 * without a reason says nothing at all, since good tokens get them too (openai/codex#39578), nor does a second one; a
 * further one counts only where its request began after the last answer was there.
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
   * @param proven whether a real request of the token was good: over that a probe's answers count for nothing
   * @returns whether it is the one that says something
   */
  suspect (ticket: Ticket, { answeredAt, now, proven }: { answeredAt: number, now: number, proven: boolean }): boolean {
    const inTurn = this.#add(ticket, answeredAt, now)
    const probe = proven ? undefined : this.#peek(probeOf(ticket))
    const asked = probe === undefined || now > probe.suspectUntil ? 0 : probe.inTurn
    return inTurn >= ENOUGH.alike && inTurn + asked >= ENOUGH.inAll
  }

  /** Adds a 401 without a reason to a probe. */
  suspectByProbe (ticket: Ticket, answeredAt: number, now: number): void { this.#add(probeOf(ticket), answeredAt, now) }

  /**
   * Adds dead-token words against a token that was good, to a request of another shape or to a handshake. Good tokens get
   * them once, too: the second in a row says something, and what confirms a rejection.
   */
  contradict (ticket: Ticket, learnedAt: number, now: number): boolean {
    const entry = this.#entry(ticket, now)
    const { doubt } = entry
    if (entry.rejection !== undefined) return true
    const standing = doubt !== undefined && now <= doubt.until
    if (standing && ticket.order < doubt.learnedAt) return false // under way together
    entry.doubt = { learnedAt, until: now + WINDOW }
    return standing
  }

  /** Holds a rejection against requests like this one. Those that were under way together say the same thing once. */
  reject (ticket: Ticket, verdict: Inactive, how: Holds & { now: number, learnedAt: number, doubling: boolean }): Inactive {
    const entry = this.#entry(ticket, how.now)
    if (entry.rejection !== undefined && ticket.order < entry.rejection.learnedAt) return entry.rejection.verdict
    entry.madeAt = how.now
    entry.rejection = reject(entry.rejection, verdict, how)
    entry.explained = how.doubling
    return verdict
  }

  /** Forgets the rejection whose asker got no answer to it: in doubt, forward. */
  unanswered (ticket: Ticket, now: number): void {
    const entry = this.#peek(ticket)
    if (entry !== undefined && wasAsked(entry.rejection, ticket.order, now)) Object.assign(entry, { rejection: undefined, doubt: undefined, explained: false })
  }

  /**
   * The token was answered well, so it lives: no 401 without a reason counts any more against requests of that shape, nor
   * does anything else against requests like a real one that was.
   */
  accept ({ key, like }: Ticket, real: boolean): void {
    const kinds = this.#tokens.peek(key)
    if (kinds === undefined) return
    const name = real ? nameOf(like) : ''
    for (const [kind, entry] of kinds) {
      if (kind === name || (entry.shape === like.shape && !entry.explained)) kinds.delete(kind)
      else if (entry.shape === like.shape) Object.assign(entry, { suspectUntil: -Infinity, doubt: undefined })
    }
    if (kinds.size === 0) this.#tokens.delete(key)
  }

  clear (key: Key): void { this.#tokens.delete(key) }

  keys (): IterableIterator<Key> { return this.#tokens.keys() }

  /** Those of one token. */
  of (key: Key): Iterable<AlikeEntry> { return this.#tokens.peek(key)?.values() ?? [] }

  /** Those used last first. */
  * [Symbol.iterator] (): Generator<[Key, AlikeEntry]> {
    for (const [key, kinds] of this.#tokens.entries()) for (const entry of kinds.values()) yield [key, entry]
  }

  #peek ({ key, like }: Ticket): AlikeEntry | undefined {
    return this.#tokens.size === 0 ? undefined : this.#tokens.get(key)?.get(nameOf(like))
  }

  /** @returns how many there are in a row; 0 where its request was under way together with the last one */
  #add (ticket: Ticket, answeredAt: number, now: number): number {
    const entry = this.#entry(ticket, now)
    const current = now <= entry.suspectUntil
    if (current && ticket.order < entry.answeredAt) return 0
    entry.inTurn = current ? entry.inTurn + 1 : 1
    entry.suspectUntil = now + WINDOW
    entry.answeredAt = answeredAt
    return entry.inTurn
  }

  #entry ({ key, like }: Ticket, now: number): AlikeEntry {
    const kinds = this.#tokens.get(key) ?? new Map<string, AlikeEntry>()
    this.#tokens.set(key, kinds)
    const name = nameOf(like)
    const { shape } = like
    const entry = kinds.get(name) ?? { shape, inTurn: 0, suspectUntil: -Infinity, answeredAt: 0, rejection: undefined, doubt: undefined, explained: false, madeAt: now, tally: tallyFrom(now) }
    kinds.delete(name) // what is used last stands last
    kinds.set(name, entry)
    if (kinds.size > KINDS) kinds.delete(kinds.keys().next().value as string)
    return entry
  }
}

const probeOf = (ticket: Ticket): Ticket => ({ ...ticket, like: { ...ticket.like, request: PROBE, handshake: false } })
