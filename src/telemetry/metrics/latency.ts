import type { Registry } from 'prom-client'
import type { RequestRecord } from '../record.ts'
import { createStopwatch } from './stopwatch.ts'

/** Metrics of where a request's time goes: all of it, what we add before it goes on, and what the upstream takes. */
export function createLatencyMetrics (registry: Registry) {
  const whole = createStopwatch(registry, {
    name: 'codex_sidecar_request_duration_seconds', label: 'route', buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300],
    help: 'Time from a request to the end of its answer.'
  })
  const guard = createStopwatch(registry, {
    name: 'codex_sidecar_guard_duration_seconds', buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 3],
    help: 'Time from a request to its verdict, asking the upstream included: what is added before it goes on.'
  })
  const upstream = createStopwatch(registry, {
    name: 'codex_sidecar_upstream_response_duration_seconds', label: 'route', buckets: [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300],
    help: 'Time from the verdict to the head of the upstream’s answer.'
  })
  return {
    /** Takes in a finished request. */
    finished ({ route = 'none', ms, guardMs, upstreamMs }: RequestRecord): void {
      whole.took(ms, route)
      if (guardMs === undefined) return
      guard.took(guardMs)
      if (upstreamMs !== undefined) upstream.took(upstreamMs - guardMs, route)
    }
  }
}
