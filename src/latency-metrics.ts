import { Histogram, type Registry } from 'prom-client'
import type { RequestRecord } from './record.ts'

/** Metrics of where a request's time goes: what we add before it goes on, and what the upstream takes. */
export function createLatencyMetrics (registry: Registry) {
  const registers = [registry]
  const guard = new Histogram({
    name: 'codex_sidecar_guard_duration_seconds', registers, buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 3],
    help: 'Time from a request to its verdict, asking the upstream included: what is added before it goes on.'
  })
  const upstream = new Histogram({
    name: 'codex_sidecar_upstream_response_duration_seconds', registers, labelNames: ['route'], buckets: [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
    help: 'Time from the verdict to the head of the upstream’s answer.'
  })
  return {
    /** Takes in a finished request. */
    finished (route: string, { guardMs, upstreamMs }: RequestRecord): void {
      if (guardMs === undefined) return
      guard.observe(guardMs / 1000)
      if (upstreamMs !== undefined) upstream.observe({ route }, (upstreamMs - guardMs) / 1000)
    }
  }
}
