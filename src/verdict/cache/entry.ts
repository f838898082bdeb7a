import type { Key } from '../../credential/credential.ts'
import type { Active, Inactive } from '../verdict.ts'

/** The requests that got a verdict, in all its renewals. */
export interface Tally {
  uses: number
  /** Monotonic ms of the last one, or of the verdict while there is none. */
  usedAt: number
}

/** What is told of every entry; `madeAt` is when it was made or last confirmed, monotonic ms. */
interface Entry { madeAt: number, readonly tally: Tally }

export interface ActiveEntry extends Entry { verdict: Active, until: number, refreshAt: number, goodAt: number }
export interface InactiveEntry extends Entry { verdict: Inactive, until: number, hold: number, learnedAt: number, askedAt: number, askedBy: number }
export interface Suspect extends Entry { readonly until: number, readonly answeredAt: number }

/** Entries by kind, those used last first. */
export interface Entries {
  readonly active: Iterable<[Key, ActiveEntry]>
  readonly inactive: Iterable<[Key, InactiveEntry]>
  readonly suspect: Iterable<[Key, Suspect]>
}

/** Begins a tally at `now`, monotonic ms. */
export const tallyFrom = (now: number): Tally => ({ uses: 0, usedAt: now })

/** A request got the verdict at `now`, monotonic ms. */
export function count (tally: Tally, now: number): void {
  tally.uses++
  tally.usedAt = now
}
