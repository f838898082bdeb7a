import type { Used } from '../telemetry/usage/usage.ts'
import { UNNAMED } from '../wire/fields/user-agent.ts'

/** Whether all who used a login have gone on with another one. */
export type Replaced = (used: Used) => boolean

/**
 * Finds what has been replaced: logins are renewed every few hours or days, by their clients and often after a refusal, and
 * the one before then needs nobody. A program that has used another good one of the same account, and since its first
 * request with that never the old one, has the new one; one that comes back to the old one still has that.
 */
export function createReplaced (usage: Iterable<Used>): Replaced {
  let byHolder: Map<string, Used[]> | undefined
  /** Most who ask for the status have nothing that is refused. */
  const group = (): Map<string, Used[]> => {
    const all = new Map<string, Used[]>()
    for (const used of usage) {
      const { owned: { holder }, counts } = used
      if (holder === undefined || counts.good === 0) continue
      const kept = all.get(holder)
      if (kept === undefined) all.set(holder, [used])
      else kept.push(used)
    }
    return all
  }
  return used => {
    const { owned: { holder }, clients } = used
    if (holder === undefined) return false
    const others = ((byHolder ??= group()).get(holder) ?? []).filter(other => other !== used)
    const wentOn = ({ client: { name }, usedAt }: Used['clients'][number]): boolean =>
      name !== UNNAMED && others.some(other => other.clients.some(({ client, since }) => client.name === name && since >= usedAt))
    return clients.every(wentOn)
  }
}
