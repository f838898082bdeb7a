import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { judgedFields } from '../config/routes.ts'
import { Circuit } from './circuit.ts'
import { Lane, type LaneName } from './lane.ts'

/** A route with its lanes. */
export interface Upstream {
  readonly route: Route
  readonly origin: string
  /** Fields by which requests are judged, lower-case. */
  readonly judged: readonly string[]
  /** Path at the upstream for a request target here; the query stays as it is. */
  readonly pathFor: (target: string) => string
  readonly lanes: Readonly<Record<LaneName, Lane>>
  /** The lane in which it is asked about tokens. */
  readonly probe: Lane
  /** Shared by all lanes. */
  readonly circuit: Circuit
  readonly close: () => Promise<void>
}

/** Opens a route's upstream; `close()` ends its sockets. */
export function createUpstream (route: Route, config: Config, clock: Clock): Upstream {
  const { origin, pathname } = new URL(route.upstream)
  const base = pathname.replace(/\/$/, '')
  const circuit = new Circuit(clock, config.times.connect)
  const lanes = { verified: new Lane('verified', origin, config, circuit), unverified: new Lane('unverified', origin, config, circuit) }
  const probe = new Lane('probe', origin, config, circuit)
  return {
    route,
    origin,
    judged: judgedFields(route),
    pathFor: target => {
      const path = base + target.slice(route.prefix.length)
      return path.startsWith('/') ? path : `/${path}`
    },
    lanes,
    probe,
    circuit,
    close: async () => { await Promise.all([lanes.verified, lanes.unverified, probe].map(lane => lane.close())) }
  }
}
