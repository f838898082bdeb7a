import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import type { Route } from '../config/options.ts'
import { nameOf } from '../config/routes.ts'
import type { Credential, Key } from '../credential/credential.ts'
import { SKEW } from './claims.ts'
import { count, tallyFrom, type ActiveEntry, type Entries, type InactiveEntry } from './entry.ts'
import { Suspicion, twice } from './suspicion.ts'
import type { Active, Inactive, Source, Subject, Testimony, Verdict, VerdictObserver } from './verdict.ts'

/** A request under way whose answer will teach us; older answers never overwrite newer ones. */
export interface Ticket extends Subject {
  /** Position of the request's start in the order of all events. */
  readonly order: number
  /** End of what the token says of itself, milliseconds since 1970. */
  readonly expires: number
}

/** What is known when a request comes, and whether the upstream should be asked: before it goes on, beside it, or not. */
export interface Look { readonly verdict?: Verdict, readonly ask: 'first' | 'beside' | 'nobody' }

export interface VerdictCacheOptions {
  /** Entries kept at most, of active, inactive and suspect tokens each: junk must not push out what is in use. */
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
  observer?: VerdictObserver
  /** From 0 to 1: spreads what would else happen at one moment. */
  random?: () => number
}

/** Part of an active verdict's time after which it is renewed in the background, at the earliest and at the latest. */
const REFRESH = { from: 0.8, to: 0.9 }

/**
 * What has been learned about credentials: shared by all requests, bounded, and forgotten at the first good sign.
 * It holds fingerprints, never tokens.
 */
export class VerdictCache {
  readonly #options: VerdictCacheOptions
  readonly #random: () => number
  readonly #active: LRUCache<Key, ActiveEntry>
  readonly #inactive: LRUCache<Key, InactiveEntry>
  readonly #suspicion: Suspicion
  #order = 0
  /** No entry that was pushed out was good, and none released, later than this: a 401 older than it may be outdated. */
  #forgottenGoodAt = 0

  constructor (options: VerdictCacheOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#active = new LRUCache({
      max: options.entries,
      dispose: ({ goodAt }, _key, why) => {
        if (why === 'evict') this.#forgottenGoodAt = Math.max(this.#forgottenGoodAt, goodAt)
      }
    })
    this.#inactive = new LRUCache({ max: options.entries })
    this.#suspicion = new Suspicion(options.entries)
  }

  /** Number of entries. */
  get size (): number { return this.#active.size + this.#inactive.size + this.#suspicion.size }

  /** All entries, latest used first within each kind; reading them changes nothing. */
  get entries (): Entries { return { active: this.#active, inactive: this.#inactive, suspect: this.#suspicion } }

  /** Begins a request whose answer will be learned from. */
  ticket (credential: Credential, to: Route): Ticket {
    const exp = credential.claims?.exp
    return { key: credential.keyOn(nameOf(to)), route: nameOf(to), order: ++this.#order, expires: typeof exp === 'number' ? exp * 1000 + SKEW : Infinity }
  }

  /**
   * What holds for a token. When an inactive verdict is due, one caller gets none and so asks again; the others keep
   * the last answer until it is back.
   */
  look (ticket: Ticket): Look {
    const { clock, observer, asking } = this.#options
    const { key, order, expires } = ticket
    const now = clock.monotonic()
    const good = this.#active.get(key)
    const suspect = this.#suspicion.holds(key, now)
    if (!suspect && good !== undefined && now < good.until && clock.wall() < expires) {
      count(good.tally, now)
      observer?.looked(ticket, 'active')
      return { verdict: good.verdict, ask: now < good.refreshAt ? 'nobody' : 'beside' }
    }
    const bad = this.#inactive.get(key)
    if (bad === undefined) {
      observer?.looked(ticket, suspect ? 'suspect' : 'unknown')
      return { ask: suspect ? 'beside' : 'first' }
    }
    count(bad.tally, now)
    const due = now >= bad.until && now >= bad.askedAt + asking
    observer?.looked(ticket, due ? 'due' : 'inactive')
    if (!due) return { verdict: bad.verdict, ask: 'nobody' }
    bad.askedAt = now
    bad.askedBy = order
    return { ask: 'first' }
  }

  /**
   * Takes in what an answer says.
   * @returns the verdict that this leaves, which is another one where something newer is known
   */
  learn (ticket: Ticket, testimony: Testimony): Verdict | undefined {
    if (testimony.kind === 'accepted') return this.#accept(ticket, testimony.source)
    if (testimony.kind === 'silent') {
      this.#unanswered(ticket)
      return undefined
    }
    const good = this.#active.peek(ticket.key)
    if (ticket.order < Math.max(good?.goodAt ?? 0, this.#forgottenGoodAt)) return good?.verdict
    return testimony.kind === 'rejected' ? this.#reject(ticket, testimony.verdict) : this.#suspect(ticket, good, testimony.handshake)
  }

  /** Takes over the good verdicts of another cache on these routes; every answer from now on is newer than they are. */
  adopt (before: VerdictCache, routes: ReadonlySet<string>): void {
    const latest = this.#options.clock.monotonic() + this.#options.active
    const kept = before.#active.dump().filter(([key]) => routes.has(key.slice(key.lastIndexOf(' ') + 1)))
    for (const [key, { value }] of kept) this.#active.set(key, { ...value, until: Math.min(value.until, latest), goodAt: 0 })
  }

  /** Forgets what is held against a token, on every route, or against all tokens. */
  release (fingerprint = ''): number {
    // A 401 to a request that is under way is older than this word.
    this.#forgottenGoodAt = ++this.#order
    const held = new Set([...this.#inactive.keys(), ...this.#suspicion.keys()].filter(key => key.startsWith(fingerprint)))
    for (const key of held) {
      this.#inactive.delete(key)
      this.#suspicion.clear(key)
    }
    return held.size
  }

  #accept (ticket: Ticket, source: Source): Active {
    const { clock, active, observer } = this.#options
    const { key, expires } = ticket
    const now = clock.monotonic()
    const before = this.#active.get(key)
    const verdict = before?.verdict.source === source ? before.verdict : { state: 'active' as const, source }
    this.#inactive.delete(key)
    this.#suspicion.clear(key)
    const left = Math.min(active, expires - clock.wall())
    const renewed = before !== undefined && now < before.until // as nearly always: a new entry each time is much of what learning costs
    const entry: ActiveEntry = before ?? { verdict, until: 0, refreshAt: 0, goodAt: 0, madeAt: 0, tally: tallyFrom(now) }
    entry.verdict = verdict
    entry.until = now + left
    entry.refreshAt = now + left * (REFRESH.from + (REFRESH.to - REFRESH.from) * this.#random())
    entry.goodAt = ++this.#order
    entry.madeAt = now
    if (before === undefined) this.#active.set(key, entry)
    if (!renewed) observer?.judged(ticket, verdict)
    observer?.succeeded(ticket)
    return verdict
  }

  #reject (ticket: Ticket, verdict: Inactive): Inactive {
    const { inactive, inactiveMax, clock, observer } = this.#options
    const { key, order } = ticket
    const now = clock.monotonic()
    const before = this.#inactive.peek(key)
    // Requests that were under way together say the same thing once.
    if (before !== undefined && order < before.learnedAt) return before.verdict
    const hold = before === undefined ? inactive : Math.min(before.hold * 2, inactiveMax)
    this.#active.delete(key)
    this.#suspicion.clear(key)
    this.#inactive.set(key, { verdict, until: now + hold, hold, learnedAt: ++this.#order, askedAt: -Infinity, askedBy: Infinity, madeAt: now, tally: before?.tally ?? tallyFrom(now) })
    observer?.judged(ticket, verdict)
    return verdict
  }

  #suspect (ticket: Ticket, good: ActiveEntry | undefined, handshake = false): Inactive | undefined {
    const { clock, observer } = this.#options
    const { key, order } = ticket
    this.#unanswered(ticket)
    if (this.#inactive.has(key)) return undefined
    const now = clock.monotonic()
    observer?.suspected(ticket)
    const second = this.#suspicion.add(key, { order, answeredAt: ++this.#order, now })
    // A token known to be good is refused for nothing less than a reason: an upstream that answers so to one request
    // in a hundred does it twice in a row soon enough.
    return second && !handshake && (good === undefined || now >= good.until) ? this.#reject(ticket, twice) : undefined
  }

  /** Whoever asked about a verdict that was due got no answer to it: in doubt, forward. */
  #unanswered ({ key, order }: Ticket): void {
    const bad = this.#inactive.peek(key)
    if (bad !== undefined && this.#options.clock.monotonic() >= bad.until && order >= bad.askedBy) this.#inactive.delete(key)
  }
}
