import { shownName } from '../config/routes.ts'
import type { Key } from '../credential/credential.ts'
import type { ActiveEntry, Entries, InactiveEntry, Suspect } from './entry.ts'
import type { Reason, Source } from './verdict.ts'

/** What may be seen of a key's fingerprint. */
const tokenOf = (key: Key): string => key.slice(0, 8)

/** A key's last part. */
const routeOf = (key: Key): string => shownName(key.slice(key.lastIndexOf(' ') + 1))

/** A verdict as it is shown. Times in whole seconds. */
export interface ListedVerdict {
  /** 8 hex digits of the fingerprint. */
  readonly token: string
  /** Path of its route. */
  readonly route: string
  /** The header fields that carry the token. */
  readonly carrier: string
  readonly state: 'active' | 'inactive' | 'suspect'
  readonly reason: Reason | null
  /** The reason in words. */
  readonly detail: string
  readonly source: Source
  /** Since it was made or last confirmed. */
  readonly ageSeconds: number
  /** Until a request makes us ask about the token again; 0: the next one. */
  readonly dueInSeconds: number
  /** Until it no longer holds; 0: only until the answer to that question. */
  readonly holdsForSeconds: number
  /** Requests that got it. */
  readonly uses: number
  /** Since the last of them. */
  readonly usedSecondsAgo: number
}

export interface ListingOptions {
  /** Monotonic ms. */
  readonly now: number
  /** At most so many, those used last. */
  readonly most: number
  /** Only those whose token, route, state, reason or source begins with this text. */
  readonly find: string
}

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 1000))

/** What is told of an entry by its kind. */
type Kind = Pick<ListedVerdict, 'state' | 'reason' | 'detail' | 'source'>

const suspicion: Kind = { state: 'suspect', reason: null, detail: 'the upstream answered 401 without a reason', source: 'upstream' }

/** Shows verdicts, those used last first. A suspect token's active verdict is not shown: it is passed over meanwhile. */
export function listVerdicts ({ active, inactive, suspect }: Entries, { now, most, find }: ListingOptions): ListedVerdict[] {
  const suspects = new Set<Key>()
  const found: { key: Key, entry: ActiveEntry | InactiveEntry | Suspect, kind: Kind, due: number }[] = []
  const fits = (key: Key, { state, reason, source }: Kind): boolean =>
    find === '' || tokenOf(key).startsWith(find) || state.startsWith(find) || source.startsWith(find) || reason?.startsWith(find) === true || routeOf(key).startsWith(find)

  /** Takes as many of a kind as could be among the wanted ones; `kindOf` is undefined for those that hold nothing. */
  function take<E extends ActiveEntry | InactiveEntry | Suspect> (entries: Iterable<[Key, E]>, kindOf: (key: Key, entry: E) => Kind | undefined, dueAt: (entry: E) => number): void {
    const end = found.length + most
    for (const [key, entry] of entries) {
      if (found.length >= end) return
      const kind = kindOf(key, entry)
      if (kind !== undefined && fits(key, kind)) found.push({ key, entry, kind, due: dueAt(entry) })
    }
  }
  take(suspect, (key, { until }) => {
    if (now > until) return undefined
    suspects.add(key)
    return suspicion
  }, () => now)
  take(inactive, (_key, { verdict }) => verdict, ({ until }) => until)
  take(active, (key, { verdict: { source } }) => suspects.has(key) ? undefined : { state: 'active', reason: null, detail: '', source }, ({ refreshAt }) => refreshAt)

  return found.sort((a, b) => b.entry.tally.usedAt - a.entry.tally.usedAt).slice(0, most)
    .map(({ key, entry: { madeAt, until, tally: { uses, usedAt } }, kind: { state, reason, detail, source }, due }) => ({
      token: tokenOf(key), route: routeOf(key), carrier: key.slice(key.indexOf(' ') + 1, key.lastIndexOf(' ')), state, reason, detail, source,
      ageSeconds: seconds(now - madeAt), dueInSeconds: seconds(due - now), holdsForSeconds: seconds(until - now), uses, usedSecondsAgo: seconds(now - usedAt)
    }))
}
