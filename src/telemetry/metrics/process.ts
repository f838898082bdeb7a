import { performance } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * Metrics of the process by the names that Prometheus clients and OpenTelemetry have for them, read only when they are
 * asked. prom-client's own ones come with observers that can not be closed, and count handles one by one.
 */
export function createProcessMetrics (registry: Registry, version: string): void {
  const registers = [registry]
  new Gauge({ name: 'codex_sidecar_build_info', registers, help: 'Always 1; its labels say what runs.', labelNames: ['version', 'node'] })
    .set({ version, node: process.versions.node }, 1)
  new Counter({
    name: 'process_cpu_seconds_total', registers, help: 'Processor time used, user and system.',
    collect () {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    }
  })
  new Gauge({ name: 'process_resident_memory_bytes', registers, help: 'Memory held.', collect () { this.set(process.memoryUsage.rss()) } })
  new Gauge({ name: 'process_start_time_seconds', registers, help: 'When the process began, seconds since 1970.' }).set(performance.timeOrigin / 1000)
  new Counter({
    name: 'nodejs_eventloop_time_seconds_total', registers, labelNames: ['nodejs_eventloop_state'],
    help: 'Time of the event loop by what it did: the share of active is how busy it is.',
    collect () {
      const { active, idle } = performance.eventLoopUtilization()
      this.reset()
      this.inc({ nodejs_eventloop_state: 'active' }, active / 1000)
      this.inc({ nodejs_eventloop_state: 'idle' }, idle / 1000)
    }
  })
}
