import type { Code } from '../answers/errors.ts'
import type { Credential } from '../credential/credential.ts'
import type { LaneName } from '../upstream/lane.ts'
import type { Source } from '../verdict/verdict.ts'
import type { Ending } from './ending.ts'
import type { KnownClient } from './usage/clients.ts'

/** The span of one request at its collector. */
export interface RequestTrace {
  /** A raw header list in which the span is the parent of what the upstream does (W3C Trace Context section 3.3). */
  readonly outgoing: (raw: readonly string[]) => string[]
  /** The request is over. */
  readonly end: (record: RequestRecord) => void
}

/** What a request begins with. */
export type Begun = Pick<RequestRecord, 'id' | 'method' | 'target' | 'foreign' | 'userAgent' | 'originator'>

/**
 * What is known about one request: the stuff of its log line, its metrics and its span. Every field is there from the
 * start, so that all records have one shape.
 */
export class RequestRecord {
  readonly id: string
  readonly method: string
  /** Request target, its query included. */
  readonly target: string
  /** performance.now() when the request was there. */
  readonly startedAt = performance.now()
  /** When it was over: ms since 1970, and ms since its start. */
  endedAt = 0
  ms = 0
  /** Whether a web page of another origin made it, and no person or program. */
  readonly foreign: boolean
  /** What its client calls itself. */
  readonly userAgent: string | undefined
  readonly originator: string | undefined
  /** The same, once it has been read. */
  client: KnownClient | undefined = undefined
  /** Name of its route. */
  route: string | undefined = undefined
  lane: LaneName | undefined = undefined
  credential: Credential | undefined = undefined
  /** Status that the client got; set early where the response object does not know it: 101. */
  status: number | undefined = undefined
  /** Code of our own answer. */
  code: Code | undefined = undefined
  /** What fills that code's words. */
  detail: string | undefined = undefined
  /** Set where the upstream's own 401 went to the client: whether it says that the token is dead, or gives no reason, and its words. */
  relayed: { readonly dead: boolean, readonly bare: boolean, readonly words: string } | undefined = undefined
  /** Who gave the verdict that decided. */
  source: Source | undefined = undefined
  /** ms until the guard had decided. */
  guardMs: number | undefined = undefined
  /** ms until the upstream's response headers. */
  upstreamMs: number | undefined = undefined
  ending: Ending | undefined = undefined
  /** Raw header list of the upstream's answer. */
  upstreamFields: readonly string[] | undefined = undefined
  /** Present where traces are collected. */
  trace: RequestTrace | undefined = undefined
  /** What went wrong, for the log only. */
  error: unknown = undefined

  constructor ({ id, method, target, foreign, userAgent, originator }: Begun) {
    this.id = id
    this.method = method
    this.target = target
    this.foreign = foreign
    this.userAgent = userAgent
    this.originator = originator
  }
}

declare module 'fastify' {
  interface FastifyRequest { record: RequestRecord }
}
