import { describe } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { nameOf, shownName } from '../config/routes.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { Refusal, Refusals } from '../telemetry/refusals.ts'
import type { Switch } from '../tunnel/switching-protocols.ts'
import type { Lane } from '../upstream/lane.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { VerdictCache } from '../verdict/cache/cache.ts'
import { listVerdicts } from '../verdict/cache/listing.ts'
import { baseUrls, recipes, usableRecipes } from './setup-lines.ts'

/** What the status is made of. */
export interface StatusSources {
  config: Config
  upstreams: readonly Upstream[]
  tunnels: Switch
  drain: Drain
  metrics: Pick<Metrics, 'requestsByRoute'>
  verdicts: VerdictCache
  refusals: Refusals
  clock: Clock
  version: string
  /** When it began, ms since 1970. */
  since: number
}

/** What a request for the status wants to see. */
export interface Wanted {
  /** Where clients reach us, without a last slash: as the one who asks did. */
  origin: string
  /** What is listened on: a URL, the path of a socket, or nothing. */
  listening: string | null
  /** Verdicts at most. */
  most: number
  /** How the token, route, state, reason or source of a verdict must begin. */
  find: string
}

const time = (ms: number): string => new Date(ms).toISOString()
const places = ({ inFlight, limit }: Lane) => ({ inFlight, limit })

/** A route, and what stands before its upstream now. */
function routeStatus ({ route, clock: { offset }, trouble, lanes: { verified, unverified }, probe }: Upstream, mode: Route['probe'], requests: ReadonlyMap<string, number>) {
  return {
    path: shownName(nameOf(route)),
    upstream: route.upstream,
    credential: route.credential,
    probe: route.probePath === undefined ? 'off' as const : route.probe ?? mode,
    /** Seconds by which the upstream's clock is ahead of this machine's; null where it is not known. */
    clockOffsetSeconds: offset === undefined ? null : Math.round(offset / 1000),
    /** Finished ones since the start. */
    requests: requests.get(nameOf(route)) ?? 0,
    circuit: trouble === undefined
      ? { state: 'closed' as const }
      : { state: 'open' as const, code: trouble.code, message: describe(trouble.code, trouble.detail), retryInSeconds: Math.ceil(trouble.retryIn / 1000) },
    lanes: { verified: places(verified), unverified: places(unverified), probe: places(probe) }
  }
}

/** A refusal with what happened and what to do. */
const refusalStatus = ({ at, detail, route, code, ...rest }: Refusal) =>
  ({ at: time(at), code, message: describe(code, detail), ...(route === undefined ? undefined : { route: shownName(route) }), ...rest })

/** Instructions for the clients that this configuration has a route for. */
const clientStatus = (origin: string, prefixes: readonly string[]) =>
  Object.entries(recipes).flatMap(([client, recipe]) => {
    const usable = usableRecipes(recipe(baseUrls(origin)), prefixes)
    return usable.length === 0 ? [] : { client, recipes: usable.map(({ heading, lines }) => ({ heading, lines })) }
  })

/** Makes the snapshots of what runs here: for programs as they are, for people behind the status page. */
export function createStatus ({ config, upstreams, tunnels, drain, metrics, verdicts, refusals, clock, version, since }: StatusSources) {
  const prefixes = config.routes.map(({ prefix }) => prefix)
  return async function status ({ origin, listening, most, find }: Wanted) {
    const requests = await metrics.requestsByRoute()
    return {
      service: 'codex-sidecar' as const,
      version,
      state: drain.begun ? 'draining' as const : 'ready' as const,
      since: time(since),
      now: time(clock.wall()),
      listening,
      routes: upstreams.map(upstream => routeStatus(upstream, config.probe, requests)),
      tunnels: { open: tunnels.open, limit: config.limits.tunnels },
      verdicts: { kept: verdicts.size, list: listVerdicts(verdicts.entries, { now: clock.monotonic(), most, find }) },
      refusals: [...refusals].map(refusalStatus),
      clients: clientStatus(origin, prefixes)
    }
  }
}

export type StatusReader = ReturnType<typeof createStatus>
export type Status = Awaited<ReturnType<StatusReader>>
