import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { judgedFields, nameOf } from '../config/routes.ts'
import { askDate } from './ask-date.ts'
import { Circuit, type Trouble } from './circuit.ts'
import { UpstreamClock } from './clock.ts'
import { createWay } from './connect/way.ts'
import { Lane, type LaneName } from './lane.ts'
import { createRelocation } from './location.ts'

/** A route with its lanes. */
export interface Upstream {
  readonly route: Route
  readonly origin: string
  /** Whether a proxy stands before it. */
  readonly proxied: boolean
  /** Fields by which requests are judged, lower-case. */
  readonly judged: readonly string[]
  /** Path at the upstream for a request target here; the query stays as it is. */
  readonly pathFor: (target: string) => string
  /** Makes references to the upstream in an answer's raw header list lead here. */
  readonly relocate: (headers: string[]) => void
  readonly lanes: Readonly<Record<LaneName, Lane>>
  /** The lane in which it is asked about tokens. */
  readonly probe: Lane
  /** The time there, by which it judges tokens. */
  readonly clock: UpstreamClock
  /** Why requests of a lane fail at once, while they do: of the verified lane first. */
  readonly trouble: Trouble | undefined
  readonly close: () => Promise<void>
}

/**
 * Opens a route's upstream; `close()` ends its sockets.
 * @param onOpen told when requests begin to fail at once
 */
export function createUpstream (route: Route, config: Config, clock: Clock, onOpen?: () => void): Upstream {
  const url = new URL(route.upstream)
  const { origin, pathname } = url
  const base = pathname.replace(/\/$/, '')
  const way = createWay(origin, config, nameOf(route))
  const circuits: Circuit[] = []
  const open = (name: LaneName | 'probe'): Lane => {
    const circuit = new Circuit(clock, config.times.connect, circuits, onOpen)
    circuits.push(circuit)
    return new Lane(name, way, config, circuit)
  }
  const lanes = { verified: open('verified'), unverified: open('unverified') }
  const probe = open('probe')
  return {
    route,
    origin,
    proxied: way.proxy !== undefined,
    judged: judgedFields(route),
    pathFor: target => {
      const path = base + target.slice(route.prefix.length)
      return path.startsWith('/') ? path : `/${path}`
    },
    relocate: createRelocation(route.prefix, url),
    lanes,
    probe,
    clock: new UpstreamClock(clock, () => askDate(probe, { origin, path: pathname, deadline: config.times.probe })),
    get trouble () { return lanes.verified.circuit.trouble ?? lanes.unverified.circuit.trouble },
    close: async () => { await Promise.all([lanes.verified, lanes.unverified, probe].map(lane => lane.close())) }
  }
}
