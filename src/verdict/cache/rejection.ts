import type { Inactive } from '../verdict.ts'
import { tallyFrom, type InactiveEntry } from './entry.ts'

/** How long rejections hold, ms. */
export interface Holds {
  /** A first one. */
  readonly inactive: number
  /** One that was confirmed again and again: each time doubles it. */
  readonly inactiveMax: number
  /** That one request may ask about a verdict that is due before another may as well. */
  readonly asking: number
}

/** A rejection that came at `now`, or one that confirms what was there. A 401 without a reason never holds longer than the first time. */
export function reject (before: InactiveEntry | undefined, verdict: Inactive, { now, learnedAt, doubling, inactive, inactiveMax }: Holds & { now: number, learnedAt: number, doubling: boolean }): InactiveEntry {
  const hold = before === undefined || !doubling ? inactive : Math.min(before.hold * 2, inactiveMax)
  return { verdict, until: now + hold, hold, learnedAt, askedAt: -Infinity, askedBy: Infinity, madeAt: now, tally: before?.tally ?? tallyFrom(now) }
}

/** Makes those due that came before `since`, monotonic ms: something has happened that may have changed them. */
export function recall (rejections: readonly (InactiveEntry | undefined)[], since: number): void {
  for (const rejection of rejections) if (rejection !== undefined && rejection.madeAt < since) rejection.until = Math.min(rejection.until, since)
}

/**
 * Whether a request that began at `order` in the order of all events is to ask again, since the rejection is due and
 * nobody else is asking; it is noted then.
 */
export function asksAgain (rejection: InactiveEntry, order: number, now: number, asking: number): boolean {
  if (now < rejection.until || now < rejection.askedAt + asking) return false
  rejection.askedAt = now
  rejection.askedBy = order
  return true
}

/** Whether the answer to a request that began at `order` is the one that was asked for. */
export const wasAsked = (rejection: InactiveEntry | undefined, order: number, now: number): boolean =>
  rejection !== undefined && now >= rejection.until && order >= rejection.askedBy
