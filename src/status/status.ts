import { describe, SidecarError } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { nameOf, shownName } from '../config/routes.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { History } from '../telemetry/history.ts'
import { RELAYED, type Refusal, type Refusals } from '../telemetry/refusals.ts'
import type { Usage } from '../telemetry/usage/usage.ts'
import type { Switch } from '../tunnel/switching-protocols.ts'
import type { Lane } from '../upstream/lane.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { VerdictCache } from '../verdict/cache/cache.ts'
import { listVerdicts } from '../verdict/cache/listing.ts'
import { ownName } from '../credential/kind.ts'
import { listCredentials } from './credentials.ts'
import { hintOf, isOfLogin, type Newer, type NewerLogins } from './newer.ts'
import { createReplaced, type Replaced } from './replaced.ts'
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
  usage: Usage
  history: History
  newer: NewerLogins
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
  /** Verdicts at most, and credentials. */
  most: number
  /** How the token, route, state, reason or source of a verdict must begin. */
  find: string
}

/** Credentials that are told at most: each takes some 50 µs, for which everybody else waits. */
const CREDENTIALS = 1_000

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

/** What happened, whose fault it is, what to do: of a login that has a newer one beside it, to use that. */
function messageOf (code: Refusal['code'], detail: string, newer: Newer | undefined): string {
  if (code === RELAYED) return `The upstream refused it${detail === '' ? '' : ` (${detail})`}, and does not say that the credential itself is dead. The client has its answer as it was.`
  return newer !== undefined && isOfLogin(code) ? new SidecarError(code, { detail, advice: hintOf(newer) }).message : describe(code, detail)
}

/** Equal refusals with what happened and what to do, and whose they are. */
const refusalStatus = ({ usage, newer, replaced, now }: { usage: Usage, newer: NewerLogins, replaced: Replaced, now: number }) => ({ firstAt, at, detail, route, code, fingerprint, ...rest }: Refusal) => {
  const used = fingerprint === undefined ? undefined : usage.find(fingerprint)
  const other = used?.last === 'refused' && !replaced(used) ? newer.of(used, now) : undefined
  return {
    firstAt: time(firstAt), at: time(at), code, message: messageOf(code, detail, other), ...(route === undefined ? undefined : { route: shownName(route) }), ...rest,
    token: fingerprint?.slice(0, 8), credential: used === undefined ? undefined : ownName(used.owned)
  }
}

/** The last hour, for a picture. */
function hourStatus (history: History, now: number) {
  const { minutes, events } = history.told(now)
  return { minutes: minutes.map(({ at, ...rest }) => ({ at: time(at), ...rest })), events: events.map(({ at, ...rest }) => ({ at: time(at), ...rest })) }
}

/** Instructions for the clients that this configuration has a route for. */
const clientStatus = (origin: string, prefixes: readonly string[]) =>
  Object.entries(recipes).flatMap(([client, recipe]) => {
    const usable = usableRecipes(recipe(baseUrls(origin)), prefixes)
    return usable.length === 0 ? [] : { client, recipes: usable.map(({ heading, lines }) => ({ heading, lines })) }
  })

/** Makes the snapshots of what runs here: for programs as they are, for people behind the status page. */
export function createStatus ({ config, upstreams, tunnels, drain, metrics, verdicts, refusals, usage, history, newer, clock, version, since }: StatusSources) {
  const prefixes = config.routes.map(({ prefix }) => prefix)
  return async function status ({ origin, listening, most, find }: Wanted) {
    const [requests] = await Promise.all([metrics.requestsByRoute(), newer.look()])
    const now = { wall: clock.wall(), monotonic: clock.monotonic() }
    const replaced = createReplaced(usage)
    return {
      service: 'codex-sidecar' as const,
      version,
      state: drain.begun ? 'draining' as const : 'ready' as const,
      since: time(since),
      now: time(now.wall),
      listening,
      credentials: { kept: usage.size, salt: usage.salt, list: listCredentials(usage, { entries: verdicts.entries, newer, replaced, salt: usage.salt, now }, Math.min(most, CREDENTIALS)) },
      hour: hourStatus(history, now.wall),
      routes: upstreams.map(upstream => routeStatus(upstream, config.probe, requests)),
      tunnels: { open: tunnels.open, limit: config.limits.tunnels },
      verdicts: { kept: verdicts.size, list: listVerdicts(verdicts.entries, { now: now.monotonic, most, find }) },
      refusals: [...refusals].map(refusalStatus({ usage, newer, replaced, now: now.wall })),
      clients: clientStatus(origin, prefixes)
    }
  }
}

export type StatusReader = ReturnType<typeof createStatus>
export type Status = Awaited<ReturnType<StatusReader>>
