import type { Key } from '../../credential/credential.ts'
import type { Shape } from '../../credential/shape.ts'
import type { Active, Inactive } from '../verdict.ts'

/** The requests that got a verdict, in all its renewals. */
export interface Tally {
  uses: number
  /** Monotonic ms of the last one, or of the verdict while there is none. */
  usedAt: number
}

/** What is told of every entry; `madeAt` is when it was made or last confirmed, monotonic ms. */
interface Entry { madeAt: number, readonly tally: Tally }

/** Dead-token words against a token that was good, by requests of a good shape: no verdict yet. */
export interface Contradiction {
  /** Position in the order of all events. */
  readonly learnedAt: number
  /** Monotonic ms until which a second one confirms it. */
  readonly until: number
  /** The requests of a good shape that got them. */
  readonly by: Set<string>
}

/** A token that was good and has not been refused since. */
export interface ActiveEntry extends Entry {
  verdict: Active
  /** Monotonic ms until which the verdict holds; the token keeps its lane beyond. */
  until: number
  refreshAt: number
  goodAt: number
  /** Shapes of requests that were answered well, the last first. */
  shapes: readonly Shape[]
  /** Real requests that were, the last first: a probe's word never counts against them. */
  requests: readonly string[]
  contradiction: Contradiction | undefined
}

/** A rejection; `asked…` is about the one request that asks again once it is due. */
export interface InactiveEntry extends Entry { readonly verdict: Inactive, until: number, readonly hold: number, readonly learnedAt: number, askedAt: number, askedBy: number }

/** Requests of one token that are like one another. */
export interface AlikeEntry extends Entry {
  readonly shape: Shape
  /** 401s without a reason in a row. */
  inTurn: number
  /** Monotonic ms until which a further one is the next of them. */
  suspectUntil: number
  /** Position of the last one in the order of all events. */
  answeredAt: number
  rejection: InactiveEntry | undefined
  /** Dead-token words against a good token: when they came in the order of all events, and until when further ones are the next in a row, monotonic ms. */
  doubt: { readonly learnedAt: number, readonly until: number } | undefined
  /** Whether the rejection came of dead-token words. */
  explained: boolean
}

/** Entries of a kind, those used last first, or that of one key. */
interface Kept<E> extends Iterable<[Key, E]> { readonly peek: (key: Key) => E | undefined }

/** Entries by kind; reading them changes nothing. */
export interface Entries {
  readonly active: Kept<ActiveEntry>
  readonly inactive: Kept<InactiveEntry>
  readonly alike: Iterable<[Key, AlikeEntry]> & { readonly of: (key: Key) => Iterable<AlikeEntry> }
}

/** Begins a tally at `now`, monotonic ms. */
export const tallyFrom = (now: number): Tally => ({ uses: 0, usedAt: now })

/** A request got the verdict at `now`, monotonic ms. */
export function count (tally: Tally, now: number): void {
  tally.uses++
  tally.usedAt = now
}

/** A list with an item in front, no longer than `most`. */
export const remember = <T>(list: readonly T[], item: T, most: number): readonly T[] =>
  list[0] === item ? list : [item, ...list.filter(other => other !== item)].slice(0, most)
