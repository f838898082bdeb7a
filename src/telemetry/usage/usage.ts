import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Credential, Fingerprint, Key } from '../../credential/credential.ts'
import type { Owned } from '../../credential/kind.ts'
import { outcomeOf, type Outcome } from '../outcome.ts'
import type { RequestRecord } from '../record.ts'
import type { KnownClient } from './clients.ts'
import { createLimitsReader, type Limits } from './limits.ts'

/** Clients of a credential that are kept, those seen last. */
const CLIENTS = 10
/** ms for which an answer's limits are not read again: they cost as much as all else here. Those of a 429 always are. */
const FRESH = 1_000
/** Places of a credential's verdicts that are kept. */
const KEYS = 8

/** What one client did with a credential. */
export interface ClientUse { readonly client: KnownClient, requests: number, /** Of the first one, ms since 1970. */ readonly since: number, /** Of the last one. */ usedAt: number }

/** What one credential did. Nothing of it is a secret but for what its owner knows it by. */
export interface Used {
  readonly fingerprint: Fingerprint
  readonly owned: Owned
  /** By which another program that has the token knows it, with the usage's salt. */
  readonly mark: string
  /** Requests by what came of them. */
  readonly counts: Record<Outcome, number>
  /** ms since 1970. */
  usedAt: number
  /** What came of the last one. */
  last: Outcome
  /** The code of our own refusal, and what fills its words; undefined where the last one was none. */
  refusal: Pick<RequestRecord, 'code' | 'detail' | 'source'> & { readonly at: number } | undefined
  /** What the upstream's own refusal of the last one said; undefined where it was none, or did not come whole. */
  relayed: RequestRecord['relayed']
  /** Where its verdicts are kept. */
  readonly keys: Key[]
  /** The last one first. */
  readonly clients: ClientUse[]
  /** Of the last answer that told any. */
  limits: { readonly said: Limits, readonly at: number, readonly route: string } | undefined
  /** When an answer was looked through for them, ms since 1970. */
  limitsReadAt: number
}

/** What each credential does, bounded. Those that were never good can not push out those that were. */
export class Usage {
  /** What marks are made with: no secret, and another one in each process. */
  readonly salt = randomBytes(16).toString('hex')
  readonly #good: LRUCache<Fingerprint, Used>
  readonly #others: LRUCache<Fingerprint, Used>
  readonly #limitsIn = createLimitsReader()
  /** The one of the last request: the next one is often its own. */
  #latest: Used | undefined

  /** @param entries credentials kept at most, good ones and others each */
  constructor (entries: number) {
    this.#good = new LRUCache({ max: entries })
    this.#others = new LRUCache({ max: entries })
  }

  get size (): number { return this.#good.size + this.#others.size }

  /** Whatever begins with these digits of the fingerprint. */
  find (fingerprint: Fingerprint): Used | undefined { return this.#good.peek(fingerprint) ?? this.#others.peek(fingerprint) }

  /** A request is over. A WebSocket's is told when it opens. */
  finished (record: RequestRecord): void {
    if (record.status !== 101) this.opened(record)
  }

  /** A request has its answer. */
  opened (record: RequestRecord): void {
    const { credential, client, route, status, endedAt, upstreamFields } = record
    if (credential === undefined) return
    const outcome = outcomeOf(record)
    // A web page of another origin makes up as many tokens as it likes: none of them stands among a person's own until it is good.
    if (record.foreign && outcome !== 'good' && this.find(credential.fingerprint) === undefined) return
    const used = this.#of(credential, endedAt, outcome)
    used.counts[outcome]++
    used.usedAt = endedAt
    used.last = outcome
    used.relayed = record.relayed
    used.refusal = outcome === 'refused' && record.code !== undefined && record.code !== 'upstream_incomplete' ? { code: record.code, detail: record.detail, source: record.source, at: endedAt } : undefined
    const key = credential.keyOn(route as string)
    if (used.keys[0] !== key && !used.keys.includes(key)) used.keys.splice(0, used.keys.length - KEYS + 1, key)
    if (client !== undefined) seen(used.clients, client, endedAt)
    if (upstreamFields === undefined || (status !== 429 && endedAt - used.limitsReadAt < FRESH)) return
    used.limitsReadAt = endedAt
    const said = this.#limitsIn(upstreamFields, status as number)
    if (said !== undefined) used.limits = { said, at: endedAt, route: route as string }
  }

  /** Those used last, `most` at most, the last one first. */
  latest (most: number): Used[] {
    return [this.#good, this.#others].flatMap(kept => {
      const taken: Used[] = []
      for (const used of kept.values()) if (taken.push(used) >= most) break
      return taken
    }).sort((a, b) => b.usedAt - a.usedAt).slice(0, most)
  }

  /** Good ones first. */
  * [Symbol.iterator] (): Generator<Used> {
    yield * this.#good.values()
    yield * this.#others.values()
  }

  #of (credential: Credential, at: number, outcome: Outcome): Used {
    const { fingerprint } = credential
    if (this.#latest?.fingerprint === fingerprint && (outcome !== 'good' || this.#latest.counts.good > 0)) return this.#latest
    const good = this.#good.get(fingerprint)
    const used = good ?? this.#others.get(fingerprint) ?? {
      fingerprint, owned: credential.owned, mark: credential.markBy(this.salt), counts: { good: 0, refused: 0, limited: 0, failed: 0, other: 0 },
      usedAt: at, last: outcome, refusal: undefined, relayed: undefined, keys: [], clients: [], limits: undefined, limitsReadAt: -Infinity
    }
    if (good === undefined && outcome === 'good') {
      this.#others.delete(fingerprint)
      this.#good.set(fingerprint, used)
    } else if (good === undefined) this.#others.set(fingerprint, used)
    this.#latest = used
    return used
  }
}

/** Notes a client, whose place is then the first. */
function seen (clients: ClientUse[], client: KnownClient, at: number): void {
  const first = clients[0]
  if (first?.client === client) {
    first.requests++
    first.usedAt = at
    return
  }
  const place = clients.findIndex(({ client: { shown } }) => shown === client.shown)
  const use = place === -1 ? { client, requests: 0, since: at, usedAt: at } : clients.splice(place, 1)[0] as ClientUse
  use.requests++
  use.usedAt = at
  clients.unshift(use)
  if (clients.length > CLIENTS) clients.pop()
}
