import type { Source } from '../verdict.ts'
import { remember, tallyFrom, type ActiveEntry } from './entry.ts'
import { nameOf, type Ticket } from './ticket.ts'

/** Part of an active verdict's time after which it is renewed in the background, at the earliest and at the latest. */
const REFRESH = { from: 0.8, to: 0.9 }

/** Shapes and requests that were answered well, kept of each token. */
const MOST = { shapes: 16, requests: 16 }

export interface Renewal {
  readonly source: Source
  /** Monotonic ms. */
  readonly now: number
  /** ms an active verdict holds. */
  readonly active: number
  /** Position in the order of all events. */
  readonly goodAt: number
  /** From 0 to 1. */
  readonly random: number
}

/** The entry of a token that was good before, or of a new one, after a request of its was answered well. */
export function renew (before: ActiveEntry | undefined, { ends, like }: Ticket, { source, now, active, goodAt, random }: Renewal): ActiveEntry {
  const entry: ActiveEntry = before ?? {
    verdict: { state: 'active', source }, until: 0, refreshAt: 0, goodAt: 0, madeAt: 0, tally: tallyFrom(now), shapes: [], requests: [], contradiction: undefined
  }
  const left = ends > now ? Math.min(active, ends - now) : active // who is taken beyond its end has another end
  if (entry.verdict.source !== source) entry.verdict = { state: 'active', source }
  entry.until = now + left
  entry.refreshAt = now + left * (REFRESH.from + (REFRESH.to - REFRESH.from) * random)
  entry.goodAt = goodAt
  entry.madeAt = now
  entry.contradiction = undefined
  entry.shapes = remember(entry.shapes, like.shape, MOST.shapes)
  if (source === 'upstream') entry.requests = remember(entry.requests, nameOf(like), MOST.requests)
  return entry
}
