import { LRUCache } from 'lru-cache'
import type { Credential } from './credential.ts'
import type { Route } from './options.ts'
import { SKEW } from './validators/claims.ts'
import type { Active, Clock, Inactive, Verdict } from './verdict.ts'

/** How an upstream's answer speaks of the credential that went with the request. */
export type Testimony =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected', readonly verdict: Inactive }
  /** A 401 that does not say what is wrong: no verdict. */
  | { readonly kind: 'ambiguous' }
  /** Any other answer, or none: says nothing. */
  | { readonly kind: 'silent' }

/** A request under way whose answer will teach us; older answers never overwrite newer ones. */
export interface Ticket {
  readonly key: Key
  /** Position of the request's start in the order of all events. */
  readonly order: number
  /** End of what the token says of itself, milliseconds since 1970. */
  readonly expires: number
}

export interface VerdictCacheOptions {
  /** Entries kept at most, active ones and others each: junk must not push out what is in use. */
  entries: number
  /** ms an active verdict holds. */
  active: number
  /** ms a first rejection holds; it doubles while it is confirmed. */
  inactive: number
  /** ms a rejection holds at most. */
  inactiveMax: number
  /** ms that one request may ask about a verdict that is due before another may as well. */
  asking: number
  clock: Clock
}

/** A verdict is of one token in one field on one route and says nothing about another. */
type Key = string & { readonly verdictKey: unique symbol }

interface ActiveEntry { verdict: Active, until: number, goodAt: number }
interface InactiveEntry { verdict: Inactive, until: number, hold: number, askedAt: number }

const keyOf = ({ fingerprint, carrier }: Credential, { prefix }: Route): Key => `${fingerprint} ${carrier} ${prefix}` as Key

/**
 * What has been learned about credentials: shared by all requests, bounded, and forgotten at the first good sign.
 * It holds fingerprints, never tokens.
 */
export class VerdictCache {
  readonly #options: VerdictCacheOptions
  readonly #active: LRUCache<Key, ActiveEntry>
  readonly #inactive: LRUCache<Key, InactiveEntry>
  #order = 0
  /** No entry that was pushed out was good later than this: a 401 older than it may be outdated. */
  #forgottenGoodAt = 0

  constructor (options: VerdictCacheOptions) {
    this.#options = options
    this.#active = new LRUCache({
      max: options.entries,
      dispose: ({ goodAt }, _key, why) => {
        if (why === 'evict') this.#forgottenGoodAt = Math.max(this.#forgottenGoodAt, goodAt)
      }
    })
    this.#inactive = new LRUCache({ max: options.entries })
  }

  /** Number of entries. */
  get size (): number { return this.#active.size + this.#inactive.size }

  /** Begins a request whose answer will be learned from. */
  ticket (credential: Credential, route: Route): Ticket {
    const { exp } = credential.claims ?? {}
    const expires = typeof exp === 'number' ? exp * 1000 + SKEW : Infinity
    return { key: keyOf(credential, route), order: ++this.#order, expires }
  }

  /**
   * The verdict that holds, or undefined: then the upstream has to say. When an inactive verdict is due, one caller
   * gets undefined and so asks again; the others keep the last answer until it is back.
   */
  look ({ key }: Ticket): Verdict | undefined {
    const now = this.#options.clock.monotonic()
    const good = this.#active.get(key)
    if (good !== undefined) return now < good.until ? good.verdict : undefined
    const bad = this.#inactive.get(key)
    if (bad === undefined) return undefined
    if (now < bad.until || now < bad.askedAt + this.#options.asking) return bad.verdict
    bad.askedAt = now
    return undefined
  }

  /** Takes in what an answer says. */
  learn (ticket: Ticket, testimony: Testimony): void {
    const { key, order } = ticket
    if (testimony.kind === 'accepted') return this.#accept(ticket)
    if (testimony.kind === 'rejected') {
      const goodAt = this.#active.peek(key)?.goodAt ?? this.#forgottenGoodAt
      if (order > goodAt) this.#reject(key, testimony.verdict)
      return
    }
    // Whoever asked about a verdict that was due got no answer to it: in doubt, forward.
    const bad = this.#inactive.peek(key)
    if (bad !== undefined && this.#options.clock.monotonic() >= bad.until) this.#inactive.delete(key)
  }

  /** Forgets what is held against a token, on every route, or against all tokens. */
  release (fingerprint?: string): number {
    let released = 0
    for (const key of this.#inactive.keys()) {
      if (fingerprint === undefined || key.startsWith(fingerprint)) {
        this.#inactive.delete(key)
        released++
      }
    }
    return released
  }

  #accept ({ key, expires }: Ticket): void {
    const { clock, active } = this.#options
    this.#inactive.delete(key)
    const left = Math.min(active, expires - clock.wall())
    this.#active.set(key, { verdict: { state: 'active', source: 'upstream' }, until: clock.monotonic() + left, goodAt: ++this.#order })
  }

  #reject (key: Key, verdict: Inactive): void {
    const { clock, inactive, inactiveMax } = this.#options
    const now = clock.monotonic()
    const before = this.#inactive.peek(key)
    // Requests that were under way together say the same thing once.
    const confirmed = before !== undefined && now >= before.until
    const hold = before === undefined ? inactive : confirmed ? Math.min(before.hold * 2, inactiveMax) : before.hold
    this.#active.delete(key)
    this.#inactive.set(key, { verdict, until: now + hold, hold, askedAt: -Infinity })
  }
}
