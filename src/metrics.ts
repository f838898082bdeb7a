import { Gauge, Histogram, Registry } from 'prom-client'
import type { RequestRecord } from './record.ts'
import type { Switch } from './switching-protocols.ts'
import { createTally } from './tally.ts'
import type { Upstream } from './upstream.ts'
import { createVerdictMetrics } from './verdict-metrics.ts'
import type { Clock } from './verdict.ts'

/** What the gauges read when they are asked. */
export interface Observed {
  upstreams: readonly Upstream[]
  tunnels: Switch
  /** Number of verdicts kept. */
  verdicts: () => number
}

/**
 * The program's metrics in a registry of their own. Labels are bounded: routes, statuses, codes; never a path or a token.
 * @param entries refusals remembered at most
 */
export function createMetrics ({ entries, clock }: { entries: number, clock: Clock }) {
  const observed = new Set<Observed>()
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
      this.reset()
      for (const { route: { prefix }, lanes, probe } of [...observed].flatMap(({ upstreams }) => upstreams)) {
        for (const lane of [lanes.verified, lanes.unverified, probe]) this.inc({ route: prefix, lane: lane.name }, lane.inFlight)
      }
    }
  })
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
    /** Counts a finished request, whose ending is known. */
    finished ({ route = 'none', code, source, lane, ending, startedAt }: RequestRecord, status: number): void {
      requests(route, String(status), code ?? '', source ?? '', lane ?? '', ending as string)
      duration.observe({ route }, (performance.now() - startedAt) / 1000)
    }
  }
}

export type Metrics = ReturnType<typeof createMetrics>
