import { Gauge, Registry } from 'prom-client'
import type { Clock } from '../../clock.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import type { RequestRecord } from '../record.ts'
import type { Usage } from '../usage/usage.ts'
import { createLatencyMetrics } from './latency.ts'
import { createLimitMetrics } from './limits.ts'
import { createProcessMetrics } from './process.ts'
import { createTally } from './tally.ts'
import { createUpstreamMetrics } from './upstream.ts'
import { createVerdictMetrics } from './verdict.ts'

/** What the gauges read when they are asked. */
export interface Observed {
  upstreams: readonly Upstream[]
  tunnels: { readonly open: number }
  /** Number of verdicts kept. */
  verdicts: () => number
}

/**
 * The program's metrics in a registry of their own. Labels are bounded: routes, statuses, codes; never a path or a token.
 * @param entries refusals remembered at most
 * @param usage what credentials do
 * @param version this program's
 */
export function createMetrics ({ entries, usage, clock, version }: { entries: number, usage: Usage, clock: Clock, version: string }) {
  const observed = new Set<Observed>()
  const registers = [new Registry()]
  const [registry] = registers as [Registry]
  const requests = createTally({
    name: 'codex_sidecar_requests_total', registers,
    help: 'Finished requests by route, status, our own code, source of the verdict, lane and ending.',
    labelNames: ['route', 'status', 'code', 'source', 'lane', 'ending']
  })
  const latency = createLatencyMetrics(registry)
  const limits = createLimitMetrics(registry, { usage, clock })
  createUpstreamMetrics(registry, () => [...observed].flatMap(({ upstreams }) => upstreams))
  createProcessMetrics(registry, version)
  new Gauge({
    name: 'codex_sidecar_tunnels_open', registers, help: 'WebSockets open.', collect () { this.set([...observed].reduce((open, { tunnels }) => open + tunnels.open, 0)) }
  })
  new Gauge({
    name: 'codex_sidecar_verdicts', registers, help: 'Verdicts kept.', collect () { this.set([...observed].reduce((_older, { verdicts }) => verdicts(), 0)) }
  })

  return {
    /** Adds what the gauges read: lanes and tunnels of all that were added, verdicts of the last. The function returned takes it out again. */
    observe (source: Observed): () => void {
      observed.add(source)
      return () => { observed.delete(source) }
    },
    /** Is told what happens to verdicts. */
    observer: createVerdictMetrics(registry, { entries, clock }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    /** Finished requests by name of their route, `none` for those beneath none. */
    async requestsByRoute (): Promise<ReadonlyMap<string, number>> {
      const counts = new Map<string, number>()
      for (const { labels: { route }, value } of (await requests.counter.get()).values) counts.set(String(route), value + (counts.get(String(route)) ?? 0))
      return counts
    },
    /** Counts a finished request, whose ending is known. */
    finished (record: RequestRecord): void {
      const { route = 'none', status, code = '', source = '', lane = '', ending } = record
      requests.count(route, String(status), code, source, lane, ending as string)
      latency.finished(record)
      limits.finished(record)
    }
  }
}

export type Metrics = ReturnType<typeof createMetrics>
