import { Gauge, Histogram, Registry } from 'prom-client'
import type { RequestRecord } from './record.ts'
import type { Switch } from './switching-protocols.ts'
import { createTally } from './tally.ts'
import type { Upstream } from './upstream.ts'
import { createVerdictMetrics } from './verdict-metrics.ts'
import type { Clock } from './verdict.ts'

/** What the gauges read when they are asked, and what else the metrics need. */
export interface Observed {
  upstreams: readonly Upstream[]
  tunnels: Switch
  /** Number of verdicts kept. */
  verdicts: () => number
  /** Refusals remembered at most. */
  entries: number
  clock: Clock
}

/** The program's metrics in a registry of their own. Labels are bounded: routes, statuses, codes; never a path or a token. */
export function createMetrics ({ upstreams, tunnels, verdicts, entries, clock }: Observed) {
  const registers = [new Registry()]
  const [registry] = registers as [Registry]
  const requests = createTally({
    name: 'codex_sidecar_requests_total', registers,
    help: 'Finished requests by route, status, our own code, source of the verdict, lane and ending.',
    labelNames: ['route', 'status', 'code', 'source', 'lane', 'ending']
  })
  const duration = new Histogram({
    name: 'codex_sidecar_request_duration_seconds', registers,
    help: 'Time from a request to the end of its answer.',
    labelNames: ['route'], buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300]
  })
  new Gauge({
    name: 'codex_sidecar_lane_in_flight', registers,
    help: 'Requests in flight at the upstream by route and lane.', labelNames: ['route', 'lane'],
    collect () {
      for (const { route: { prefix }, lanes, probe } of upstreams) {
        for (const lane of [lanes.verified, lanes.unverified, probe]) this.set({ route: prefix, lane: lane.name }, lane.inFlight)
      }
    }
  })
  new Gauge({
    name: 'codex_sidecar_tunnels_open', registers, help: 'WebSockets open.', collect () { this.set(tunnels.open) }
  })
  new Gauge({
    name: 'codex_sidecar_verdicts', registers, help: 'Verdicts kept.', collect () { this.set(verdicts()) }
  })

  return {
    /** Is told what happens to verdicts. */
    observer: createVerdictMetrics(registry, { entries, clock }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    /** Counts a finished request, whose ending is known. */
    finished ({ route = 'none', code, source, lane, ending, startedAt }: RequestRecord, status: number): void {
      requests(route, String(status), code ?? '', source ?? '', lane ?? '', ending as string)
      duration.observe({ route }, (performance.now() - startedAt) / 1000)
    }
  }
}

export type Metrics = ReturnType<typeof createMetrics>
