import { Gauge, type Registry } from 'prom-client'
import { nameOf } from '../../config/routes.ts'
import type { Upstream } from '../../upstream/upstream.ts'

/** Lanes of an upstream, with the labels of each. */
const lanesOf = ({ route, lanes: { verified, unverified }, probe }: Upstream) =>
  [verified, unverified, probe].map(lane => ({ lane, labels: { route: nameOf(route), lane: lane.name } }))

/**
 * Metrics of what stands before the upstreams: places by route and lane, and circuits.
 * @param upstreams those there are when it is asked, the present configuration's last
 */
export function createUpstreamMetrics (registry: Registry, upstreams: () => readonly Upstream[]): void {
  const registers = [registry]
  new Gauge({
    name: 'codex_sidecar_lane_in_flight', registers, labelNames: ['route', 'lane'],
    help: 'Requests in flight at the upstream by route and lane.',
    collect () {
      this.reset()
      for (const { labels, lane } of upstreams().flatMap(lanesOf)) this.inc(labels, lane.inFlight) // those of older configurations too
    }
  })
  new Gauge({
    name: 'codex_sidecar_lane_limit', registers, labelNames: ['route', 'lane'],
    help: 'Requests in flight at most by route and lane; further ones get 503 lane_full.',
    collect () {
      this.reset()
      for (const { labels, lane } of upstreams().flatMap(lanesOf)) this.set(labels, lane.limit)
    }
  })
  new Gauge({
    name: 'codex_sidecar_circuit_open', registers, labelNames: ['route'],
    help: '1 while requests of a lane fail at once, since the upstream of the route can not be connected to.',
    collect () {
      this.reset()
      for (const { route, trouble } of upstreams()) this.set({ route: nameOf(route) }, Number(trouble !== undefined))
    }
  })
}
