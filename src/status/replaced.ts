import type { Used } from '../telemetry/usage/usage.ts'
import { UNNAMED } from '../wire/fields/user-agent.ts'

/** Whether all who used a login have gone on with another one. */
export type Replaced = (used: Used) => boolean

/** When each program began with its last good login of one account, ms since 1970. */
type Begun = Map<string, number>

/**
 * Finds what has been replaced: logins are renewed every few hours or days, by their clients and often after a refusal, and
 * the one before then needs nobody. A program that has used another good one of the same account, and since its first
 * request with that never the old one, has the new one; one that comes back to the old one still has that.
 */
export function createReplaced (usage: Iterable<Pick<Used, 'owned' | 'counts' | 'clients'>>): Replaced {
  let byHolder: Map<string, Begun> | undefined
  const group = (): Map<string, Begun> => {
    const all = new Map<string, Begun>()
    for (const { owned: { holder }, counts, clients } of usage) {
      if (holder === undefined || counts.good === 0) continue
      const begun: Begun = all.get(holder) ?? new Map<string, number>()
      all.set(holder, begun)
      for (const { client: { name }, since } of clients) begun.set(name, Math.max(since, begun.get(name) ?? -Infinity))
    }
    return all
  }
  return ({ owned: { holder }, clients }) => {
    if (holder === undefined) return false
    byHolder ??= group() // most who ask for the status have nothing that is refused
    const begun = byHolder.get(holder)
    // Its own beginning is never later than its last use.
    return clients.every(({ client: { name }, usedAt }) => name !== UNNAMED && (begun?.get(name) ?? -Infinity) > usedAt)
  }
}
