import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { version } from '../config/package-files.ts'
import { nameOf } from '../config/routes.ts'
import { createCredentialReader, type CredentialReader } from '../credential/credential.ts'
import { createShapeReader } from '../credential/shape.ts'
import { createLoop, type Loop } from '../downstream/loop.ts'
import { trackPipelines, type Pipelines } from '../downstream/pipeline.ts'
import { createAccessLog } from '../telemetry/access-log.ts'
import { Journal } from '../telemetry/journal.ts'
import type { Log } from '../telemetry/log.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts'
import { History } from '../telemetry/history.ts'
import { Refusals } from '../telemetry/refusals.ts'
import { createClientReader } from '../telemetry/usage/clients.ts'
import { Usage } from '../telemetry/usage/usage.ts'
import { Places } from '../tunnel/places.ts'
import type { VerdictCache } from '../verdict/cache/cache.ts'
import { likenessBy, type LikenessReader } from '../verdict/cache/ticket.ts'

/** Answers in our own name that /status shows. */
const REFUSALS = 50

/** What stays when an app with another configuration takes the place of one. */
export interface Legacy {
  /** Fingerprints stay the same. */
  readonly read: CredentialReader
  /** So do the digests by which good verdicts know their requests again. */
  readonly likenessOf: LikenessReader
  readonly loop: Loop
  readonly metrics: Metrics
  readonly pipelines: Pipelines
  /** Of WebSockets, which outlive their configuration. */
  readonly tunnels: Places
  readonly refusals: Refusals
  readonly usage: Usage
  readonly history: History
  /** A WebSocket has opened. Its record is entered when it ends. */
  readonly opened: (record: RequestRecord) => void
  /** Where finished requests are entered. */
  readonly journal: Journal
  /** This program's. */
  readonly version: string
  /** When it began, ms since 1970. */
  readonly since: number
  /** URL of the listener that outlives its apps, once there is one. */
  listening?: string
}

/** One app among those of a process: each configuration has its own. */
export interface Generation {
  readonly config: Config
  readonly legacy: Legacy
  readonly verdicts: VerdictCache
  /** Settles when no request or tunnel of it is left. */
  readonly idle: () => Promise<void>
  /** Settles when nothing of it is under way, at the latest after the grace; what comes meanwhile is taken. */
  readonly end: () => Promise<void>
}

/** What the first generation begins with. */
export function foundLegacy ({ limits }: Config, clock: Clock, log: Log): Legacy {
  const own = version()
  const logRequest = createAccessLog(log)
  const usage = new Usage(limits.verdicts)
  const metrics = createMetrics({ entries: limits.verdicts, usage, clock, version: own })
  const refusals = new Refusals(REFUSALS, clock)
  const history = new History()
  const clientBy = createClientReader()
  return {
    read: createCredentialReader(),
    likenessOf: likenessBy(createShapeReader()),
    loop: createLoop(),
    metrics,
    pipelines: trackPipelines(),
    tunnels: new Places(),
    refusals,
    usage,
    history,
    opened: record => {
      record.client = clientBy(record.userAgent, record.originator)
      usage.opened(record)
    },
    journal: new Journal(record => {
      record.client = clientBy(record.userAgent, record.originator)
      logRequest(record)
      metrics.finished(record)
      refusals.finished(record)
      usage.finished(record)
      history.finished(record)
    }),
    version: own,
    since: clock.wall()
  }
}

/** Names of the routes that two configurations have in common, with everything that is said about them. */
export const commonRoutes = (a: Config, b: Config): ReadonlySet<string> =>
  new Set(a.routes.filter(route => b.routes.some(other => isDeepStrictEqual(route, other))).map(nameOf))
