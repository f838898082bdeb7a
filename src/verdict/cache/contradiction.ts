import type { Reach } from '../verdict.ts'
import type { ActiveEntry } from './entry.ts'
import { nameOf, type Ticket } from './ticket.ts'

/** ms within which a second such answer must follow the first one. */
const WINDOW = 30_000

/** Requests kept by which a good token was contradicted. */
const MOST = 8

/**
 * Dead-token words against a token that was good and has not been refused since are a contradiction, not a verdict
 * (design.md section 3): a path does not know a key that another one knows, a header field is missing, or one answer in
 * many is wrong. So requests go on, until a later one says the same. This is about requests of a shape that was good.
 * @returns how far the word reaches: requests like this one, where requests like it got it before; the token, where a
 * request like one that was good gets it after that; undefined: nothing yet
 */
export function contradict (good: ActiveEntry, { like, order }: Ticket, { now, next }: { now: number, next: () => number }): Reach | undefined {
  const { contradiction: before } = good
  const standing = before !== undefined && now <= before.until ? before : undefined
  const name = nameOf(like)
  if (standing === undefined) {
    good.contradiction = { learnedAt: next(), until: now + WINDOW, by: new Set([name]) }
    return undefined
  }
  if (order < standing.learnedAt) return undefined // it was under way together with the first one
  if (good.requests.includes(name)) return 'token'
  if (standing.by.has(name) || standing.by.size >= MOST) return 'request'
  standing.by.add(name)
  return undefined
}

/** Whether a token that was good stays so when a probe says that it is dead: real requests know better, and so does a probe with the fields that were good. */
export const outweighsProbe = ({ requests, shapes }: ActiveEntry, { like }: Ticket): boolean => requests.length > 0 || !shapes.includes(like.shape)
