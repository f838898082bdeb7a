import type { Credential } from './credential.ts'
import type { Code } from './errors.ts'
import type { LaneName } from './upstream.ts'
import type { Ending } from './response-body.ts'
import type { Source } from './verdict.ts'

/** The span of one request at its collector. */
export interface RequestTrace {
  /** A raw header list in which the span is the parent of what the upstream does (W3C Trace Context section 3.3). */
  readonly outgoing: (raw: readonly string[]) => string[]
  /** @param status of the answer, as the client got it */
  readonly end: (record: RequestRecord, status: number) => void
}

/** What is known about one request when it ends: the stuff of its log line and its metrics. */
export interface RequestRecord {
  /** performance.now() when the request was there. */
  readonly startedAt: number
  /** Prefix of its route. */
  route?: string
  lane?: LaneName
  credential?: Credential
  /** Status where the response object does not know it: 101. */
  status?: number
  /** Code of our own answer. */
  code?: Code
  /** What fills that code's words. */
  detail?: string
  /** Who gave the verdict that decided. */
  source?: Source
  /** ms until the guard had decided. */
  guardMs?: number
  /** ms until the upstream's response headers. */
  upstreamMs?: number
  ending?: Ending
  /** Present where traces are collected. */
  trace?: RequestTrace
  /** What went wrong, for the log only. */
  error?: unknown
}

declare module 'fastify' {
  interface FastifyRequest { record: RequestRecord }
}
