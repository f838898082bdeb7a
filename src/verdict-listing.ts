import type { ActiveEntry, Entries, InactiveEntry, Suspect } from './verdict-entry.ts'
import type { Key, Reason, Source } from './verdict.ts'

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

type Rest = Pick<ListedVerdict, 'state' | 'reason' | 'detail' | 'source' | 'dueInSeconds'>

/** Shows verdicts, those used last first. A suspect token's active verdict is not shown: it is passed over meanwhile. */
export function listVerdicts ({ active, inactive, suspect }: Entries, { now, most, find }: ListingOptions): ListedVerdict[] {
  const show = (key: Key, { madeAt, until, tally: { uses, usedAt } }: ActiveEntry | InactiveEntry | Suspect, rest: Rest): ListedVerdict => {
    const [fingerprint = '', carrier = '', prefix = ''] = key.split(' ')
    return {
      token: fingerprint.slice(0, 8), route: `${prefix}/`, carrier, ...rest,
      ageSeconds: seconds(now - madeAt), holdsForSeconds: seconds(until - now), uses, usedSecondsAgo: seconds(now - usedAt)
    }
  }
  const fits = ({ token, route, state, reason, source }: ListedVerdict): boolean => [token, route, state, reason ?? '', source].some(text => text.startsWith(find))
  const suspects = new Set<Key>()
  const found: { verdict: ListedVerdict, usedAt: number }[] = []
  /** As many of a kind as could be among the wanted ones. */
  function take<E extends ActiveEntry | InactiveEntry | Suspect> (entries: Iterable<[Key, E]>, shown: (key: Key, entry: E) => ListedVerdict | undefined): void {
    const end = found.length + most
    for (const [key, entry] of entries) {
      if (found.length >= end) return
      const verdict = shown(key, entry)
      if (verdict !== undefined && fits(verdict)) found.push({ verdict, usedAt: entry.tally.usedAt })
    }
  }
  take(suspect, (key, entry) => {
    if (now > entry.until) return undefined
    suspects.add(key)
    return show(key, entry, { state: 'suspect', reason: null, detail: 'the upstream answered 401 without a reason', source: 'upstream', dueInSeconds: 0 })
  })
  take(inactive, (key, entry) => show(key, entry, { ...entry.verdict, dueInSeconds: seconds(entry.until - now) }))
  take(active, (key, entry) => suspects.has(key) ? undefined : show(key, entry, { state: 'active', reason: null, detail: '', source: entry.verdict.source, dueInSeconds: seconds(entry.refreshAt - now) }))
  return found.sort((a, b) => b.usedAt - a.usedAt).slice(0, most).map(({ verdict }) => verdict)
}
