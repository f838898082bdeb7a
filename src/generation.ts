import { isDeepStrictEqual } from 'node:util'
import { readPerConnection } from './connection-credential.ts'
import { createCredentialReader } from './credential.ts'
import type { Config } from './config.ts'
import { createLoop, type Loop } from './loop.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { trackPipelines, type Pipelines } from './pipeline.ts'
import { Refusals } from './refusals.ts'
import type { VerdictCache } from './verdict-cache.ts'
import type { Clock } from './verdict.ts'

/** What stays when an app with another configuration takes the place of one. */
export interface Legacy {
  /** Fingerprints stay the same. */
  readonly read: ReturnType<typeof readPerConnection>
  readonly loop: Loop
  readonly metrics: Metrics
  readonly pipelines: Pipelines
  readonly refusals: Refusals
  /** When the first generation began, ms since 1970. */
  readonly since: number
}

/** One app among those of a process: each configuration has its own. */
export interface Generation {
  readonly config: Config
  readonly legacy: Legacy
  readonly verdicts: VerdictCache
  /** Settles when no request or tunnel of it is left. */
  readonly idle: () => Promise<void>
}

/** Refusals that the status shows. */
const REFUSALS = 50

/** What the first generation begins with. */
export const foundLegacy = ({ limits }: Config, clock: Clock, version: string): Legacy => ({
  read: readPerConnection(createCredentialReader()),
  loop: createLoop(),
  metrics: createMetrics({ entries: limits.verdicts, clock, version }),
  pipelines: trackPipelines(),
  refusals: new Refusals(REFUSALS, clock),
  since: clock.wall()
})

/** Prefixes of the routes that two configurations have in common, with everything that is said about them. */
export const commonRoutes = (a: Config, b: Config): ReadonlySet<string> =>
  new Set(a.routes.filter(route => b.routes.some(other => isDeepStrictEqual(route, other))).map(({ prefix }) => prefix))
