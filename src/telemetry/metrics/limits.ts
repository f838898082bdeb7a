import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../clock.ts'
import type { RequestRecord } from '../record.ts'
import type { Limits } from '../usage/limits.ts'
import { tellLimits } from '../usage/quota.ts'
import type { Used } from '../usage/usage.ts'
import { createTally } from './tally.ts'

/** ms after which what an answer told of its limits is outdated. */
const FRESH = 3_600_000

/** Metrics of upstreams' own limits, by route and kind of credential, never by credential. */
export function createLimitMetrics (registry: Registry, { usage, clock }: { usage: Iterable<Pick<Used, 'owned' | 'limits'>>, clock: Pick<Clock, 'wall'> }) {
  const registers = [registry]
  /** Of what was told before: a scrape with ten thousand credentials keeps everybody waiting. */
  const shares = new WeakMap<Limits, number>()
  const shareOf = (said: Limits): number => {
    const share = shares.get(said) ?? Math.max(-1, ...tellLimits(said).map(({ used }) => used ?? -1))
    shares.set(said, share)
    return share
  }
  const limited = createTally({
    name: 'codex_sidecar_rate_limited_total', registers, labelNames: ['route', 'kind'],
    help: 'Requests that the upstream answered with 429, by route and kind of credential.'
  })
  new Gauge({
    name: 'codex_sidecar_limit_used_ratio', registers, labelNames: ['route', 'kind'],
    help: 'Share of a limit that is used, by the upstream’s last words: of all limits and credentials of a route and kind the highest.',
    collect () {
      this.reset()
      const highest = new Map<string, { labels: { route: string, kind: string }, used: number }>()
      for (const { owned: { kind }, limits } of usage) {
        if (limits === undefined || clock.wall() - limits.at > FRESH) continue
        const { route, said } = limits
        const used = shareOf(said)
        if (used > (highest.get(`${route} ${kind}`)?.used ?? -1)) highest.set(`${route} ${kind}`, { labels: { route, kind }, used })
      }
      for (const { labels, used } of highest.values()) this.set(labels, used)
    }
  })
  return {
    /** Takes in a finished request. */
    finished ({ route, status, credential }: RequestRecord): void {
      if (status === 429 && route !== undefined) limited.count(route, credential?.kind ?? 'none')
    }
  }
}
