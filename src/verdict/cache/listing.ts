import { shownName } from '../../config/routes.ts'
import type { Key } from '../../credential/credential.ts'
import type { Reach, Reason, Source } from '../verdict.ts'
import type { ActiveEntry, AlikeEntry, Entries, InactiveEntry } from './entry.ts'

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
  /** What it counts for: the token, or only requests like the one that it came of. */
  readonly reach: Reach
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
type Kind = Pick<ListedVerdict, 'state' | 'reach' | 'reason' | 'detail' | 'source'>

interface Found { readonly key: Key, readonly entry: Pick<ActiveEntry | InactiveEntry | AlikeEntry, 'madeAt' | 'tally'>, readonly kind: Kind, readonly due: number, readonly until: number }

const suspicion: Kind = { state: 'suspect', reach: 'request', reason: null, detail: 'the upstream answered 401 without a reason', source: 'upstream' }
const rejection = (reach: Reach, { verdict: { state, reason, detail, quote, source } }: InactiveEntry): Kind =>
  ({ state, reach, reason, detail: [detail, quote?.words ?? ''].filter(words => words !== '').join(': '), source })

/** What stands against requests like one another, if anything still does. */
function ofAlike (key: Key, entry: AlikeEntry, now: number): Found | undefined {
  const { rejection: bad, suspectUntil } = entry
  if (bad !== undefined) return { key, entry: bad, kind: rejection('request', bad), due: bad.until, until: bad.until }
  return now > suspectUntil ? undefined : { key, entry, kind: suspicion, due: now, until: suspectUntil }
}

const ofInactive = (key: Key, entry: InactiveEntry): Found => ({ key, entry, kind: rejection('token', entry), due: entry.until, until: entry.until })
const ofActive = (key: Key, entry: ActiveEntry): Found =>
  ({ key, entry, kind: { state: 'active', reach: 'token', reason: null, detail: '', source: entry.verdict.source }, due: entry.refreshAt, until: entry.until })

const tell = (now: number) => ({ key, entry: { madeAt, tally: { uses, usedAt } }, kind, due, until }: Found): ListedVerdict => ({
  token: tokenOf(key), route: routeOf(key), carrier: key.slice(key.indexOf(' ') + 1, key.lastIndexOf(' ')), ...kind,
  ageSeconds: seconds(now - madeAt), dueInSeconds: seconds(due - now), holdsForSeconds: seconds(until - now), uses, usedSecondsAgo: seconds(now - usedAt)
})

/**
 * What is held about one token in one place.
 * @param now monotonic ms
 */
export function verdictsOn ({ active, inactive, alike }: Entries, key: Key, now: number): ListedVerdict[] {
  const good = active.peek(key)
  const bad = inactive.peek(key)
  const found = [
    ...bad === undefined ? [] : [ofInactive(key, bad)],
    ...[...alike.of(key)].flatMap(entry => ofAlike(key, entry, now) ?? []),
    ...good === undefined ? [] : [ofActive(key, good)]
  ]
  return found.map(tell(now))
}

/** Shows verdicts, those used last first. */
export function listVerdicts ({ active, inactive, alike }: Entries, { now, most, find }: ListingOptions): ListedVerdict[] {
  const fits = ({ key, kind: { state, reason, source } }: Found): boolean =>
    find === '' || [tokenOf(key), state, source, reason ?? '', routeOf(key)].some(text => text.startsWith(find))

  /** As many of a kind as could be among the wanted ones. */
  function take<E> (entries: Iterable<[Key, E]>, foundOf: (key: Key, entry: E) => Found | undefined): Found[] {
    const taken: Found[] = []
    for (const [key, entry] of entries) {
      if (taken.length >= most) break
      const found = foundOf(key, entry)
      if (found !== undefined && fits(found)) taken.push(found)
    }
    return taken
  }
  return [...take(alike, (key, entry) => ofAlike(key, entry, now)), ...take(inactive, ofInactive), ...take(active, ofActive)]
    .sort((a, b) => b.entry.tally.usedAt - a.entry.tally.usedAt).slice(0, most).map(tell(now))
}
