import { LRUCache } from 'lru-cache'
import type { Key } from '../../credential/credential.ts'
import type { Active, Inactive, Source, Testimony, Verdict } from '../verdict.ts'
import { Alike } from './alike.ts'
import { contradict, outweighsProbe } from './contradiction.ts'
import { count, type ActiveEntry, type Entries, type InactiveEntry } from './entry.ts'
import { renew } from './good.ts'
import type { VerdictCacheOptions } from './options.ts'
import { asksAgain, recall, reject, wasAsked } from './rejection.ts'
import type { Entrant, Look, Ticket } from './ticket.ts'

/**
 * What has been learned about credentials: shared by all requests, bounded, and forgotten at the first good sign.
 * It holds fingerprints, never tokens.
 */
export class VerdictCache {
  readonly #options: VerdictCacheOptions
  readonly #random: () => number
  readonly #active: LRUCache<Key, ActiveEntry>
  readonly #inactive: LRUCache<Key, InactiveEntry>
  readonly #alike: Alike
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
    this.#alike = new Alike(options.entries)
  }

  /** Number of entries. */
  get size (): number { return this.#active.size + this.#inactive.size + this.#alike.size }

  /** All entries, latest used first within each kind; reading them changes nothing. */
  get entries (): Entries { return { active: this.#active, inactive: this.#inactive, alike: this.#alike } }

  /** Begins a request whose answer will be learned from. */
  ticket (entrant: Entrant): Ticket { return { ...entrant, order: ++this.#order } }

  /**
   * What holds for a request. When a rejection is due, one caller gets none and so asks again; the others keep the last
   * answer until it is back. A token that was good keeps its lane, however long it was idle, until it is refused.
   */
  look (ticket: Ticket): Look {
    const { clock, observer } = this.#options
    const { key, ends } = ticket
    const now = clock.monotonic()
    const good = this.#active.get(key)
    const lane = good === undefined ? 'unverified' : 'verified'
    const bad = this.#inactive.get(key)
    if (bad !== undefined) return this.#refuse(ticket, bad, { lane, reach: 'token', now })
    const rejection = this.#alike.rejection(ticket)
    if (rejection !== undefined) return this.#refuse(ticket, rejection, { lane, reach: 'request', now })
    const suspect = this.#alike.suspects(ticket, now)
    if (good !== undefined && now < good.until && now < ends) {
      count(good.tally, now)
      observer?.looked(ticket, suspect ? 'suspect' : 'active')
      return { verdict: good.verdict, lane, ask: now < good.refreshAt && !suspect ? 'nobody' : 'beside' }
    }
    observer?.looked(ticket, suspect ? 'suspect' : 'unknown')
    return { lane, ask: good === undefined ? 'first' : 'beside' }
  }

  /**
   * Takes in what an answer says.
   * @returns the verdict that this leaves, which is another one where something newer is known
   */
  learn (ticket: Ticket, testimony: Testimony): Verdict | undefined {
    if (testimony.kind === 'silent') this.#unanswered(ticket)
    if (testimony.kind === 'silent' || testimony.kind === 'pending') return undefined
    if (testimony.kind === 'accepted') return this.#accept(ticket, testimony.source)
    const good = this.#active.peek(ticket.key)
    if (ticket.order < Math.max(good?.goodAt ?? 0, this.#forgottenGoodAt)) return good?.verdict
    return testimony.reach === 'token' ? this.#dead(ticket, good, testimony) : this.#unexplained(ticket, good, testimony.verdict)
  }

  /** Something speaks against a token without saying so: the upstream is to be asked again at its next request. */
  doubt ({ key }: Ticket): void {
    const good = this.#active.peek(key)
    if (good !== undefined) good.refreshAt = -Infinity
  }

  /** Has the next request ask again about what is held against a token, where that is older than `since`, monotonic ms. */
  recall (key: Key, since: number): void { recall([this.#inactive.peek(key), ...[...this.#alike.of(key)].map(({ rejection }) => rejection)], since) }

  /** Where a token's requests go. */
  laneOf ({ key }: Ticket): Look['lane'] { return this.#active.has(key) ? 'verified' : 'unverified' }

  /** Takes over the good verdicts of another cache on these routes; every answer from now on is newer than they are. */
  adopt (before: VerdictCache, prefixes: ReadonlySet<string>): void {
    const latest = this.#options.clock.monotonic() + this.#options.active
    const kept = before.#active.dump().filter(([key]) => prefixes.has(key.slice(key.lastIndexOf(' ') + 1)))
    for (const [key, { value }] of kept) this.#active.set(key, { ...value, until: Math.min(value.until, latest), goodAt: 0, contradiction: undefined })
  }

  /** Forgets what is held against a token, on every route, or against all tokens. */
  release (fingerprint = ''): number {
    // A 401 to a request that is under way is older than this word.
    this.#forgottenGoodAt = ++this.#order
    for (const [key, good] of this.#active.entries()) if (key.startsWith(fingerprint)) good.contradiction = undefined
    const held = new Set([...this.#inactive.keys(), ...this.#alike.keys()].filter(key => key.startsWith(fingerprint)))
    for (const key of held) {
      this.#inactive.delete(key)
      this.#alike.clear(key)
    }
    return held.size
  }

  #refuse (ticket: Ticket, rejection: InactiveEntry, { lane, reach, now }: Pick<Look, 'lane'> & { reach: 'token' | 'request', now: number }): Look {
    const { observer, asking } = this.#options
    count(rejection.tally, now)
    const due = asksAgain(rejection, ticket.order, now, asking)
    observer?.looked(ticket, due ? 'due' : 'inactive')
    if (!due) return { verdict: rejection.verdict, reach, lane, ask: 'nobody' }
    // A probe's word is weak: once it is due, a real request asks, not the probe again. Nor can it ask about requests like this one.
    return { lane, ask: reach === 'request' || rejection.verdict.source === 'probe' ? 'nobody' : 'first' }
  }

  #accept (ticket: Ticket, source: Source): Active {
    const { clock, active, observer } = this.#options
    const { key } = ticket
    const now = clock.monotonic()
    const before = this.#active.get(key)
    const known = before !== undefined && now < before.until // as nearly always
    const entry = renew(before, ticket, { source, now, active, goodAt: ++this.#order, random: this.#random() })
    this.#alike.accept(ticket, source === 'upstream')
    const bad = this.#inactive.peek(key)
    this.#inactive.delete(key)
    if (before === undefined) this.#active.set(key, entry)
    if (!known) observer?.judged(ticket, entry.verdict)
    // A 2xx to what was sent before the token died shows no refusal to have been wrong.
    if (bad === undefined || ticket.order > bad.learnedAt) observer?.succeeded(ticket)
    return entry.verdict
  }

  /** The upstream says that the token is dead. */
  #dead (ticket: Ticket, good: ActiveEntry | undefined, { verdict, inBand = false }: { verdict: Inactive, inBand?: boolean }): Verdict | undefined {
    const { like } = ticket
    const now = this.#options.clock.monotonic()
    const next = (): number => ++this.#order
    const refused = like.handshake && !inBand // the same token may be taken over HTTP
    if (good === undefined) return refused ? this.#rejectAlike(ticket, verdict, true) : this.#reject(ticket, verdict)
    if (verdict.source === 'probe' && outweighsProbe(good, ticket)) return good.verdict
    if (verdict.source !== 'upstream') return this.#reject(ticket, verdict)
    const reach = !refused && good.shapes.includes(like.shape)
      ? contradict(good, ticket, { now, next })
      : this.#alike.contradict(ticket, next(), now) ? 'request' : undefined
    if (reach === 'token') return this.#reject(ticket, verdict)
    return reach === 'request' ? this.#rejectAlike(ticket, verdict, true) : undefined
  }

  #reject (ticket: Ticket, verdict: Inactive): Inactive {
    const { clock, observer } = this.#options
    const { key, order } = ticket
    const before = this.#inactive.peek(key)
    // Requests that were under way together say the same thing once.
    if (before !== undefined && order < before.learnedAt) return before.verdict
    this.#active.delete(key)
    this.#alike.clear(key)
    this.#inactive.set(key, reject(before, verdict, { ...this.#options, now: clock.monotonic(), learnedAt: ++this.#order, doubling: true }))
    observer?.judged(ticket, verdict)
    return verdict
  }

  #rejectAlike (ticket: Ticket, verdict: Inactive, doubling: boolean): Inactive {
    this.#options.observer?.judged(ticket, verdict)
    return this.#alike.reject(ticket, verdict, { ...this.#options, now: this.#options.clock.monotonic(), learnedAt: ++this.#order, doubling })
  }

  /** A 401 without a reason. It is weighed together with the others before it, whatever was known of the token. */
  #unexplained (ticket: Ticket, good: ActiveEntry | undefined, verdict: Inactive): Inactive | undefined {
    const { clock, observer } = this.#options
    const now = clock.monotonic()
    if (verdict.source === 'probe') {
      this.#alike.suspectByProbe(ticket, ++this.#order, now)
      return undefined
    }
    this.#unanswered(ticket)
    if (ticket.like.handshake || this.#inactive.has(ticket.key)) return undefined
    observer?.suspected(ticket)
    const proven = good !== undefined && good.requests.length > 0
    return this.#alike.suspect(ticket, { answeredAt: ++this.#order, now, proven }) ? this.#rejectAlike(ticket, verdict, false) : undefined
  }

  /** Whoever asked about a verdict that was due got no answer to it: in doubt, forward. */
  #unanswered (ticket: Ticket): void {
    const now = this.#options.clock.monotonic()
    if (wasAsked(this.#inactive.peek(ticket.key), ticket.order, now)) this.#inactive.delete(ticket.key)
    this.#alike.unanswered(ticket, now)
  }
}
