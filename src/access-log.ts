import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { pathOf } from './conformance.ts'

/** Fastify's own request lines are off: one line at the end says it all, at a fraction of their cost. */
export const quiet = new fastify.LogController({ disableRequestLogging: true })

const round = (ms: number | undefined): number | undefined => ms === undefined ? undefined : Math.round(ms * 100) / 100

/** One line for a finished request: no header, no query, of the credential only its fingerprint. */
export function logRequest (log: Logger, { id, method, url, record }: FastifyRequest, { raw: response }: FastifyReply): void {
  const { startedAt, status: switched, route, lane, credential, code, source, guardMs, upstreamMs, ending, error } = record
  const status = switched ?? (response.headersSent ? response.statusCode : 499) // the client left before there was an answer
  const level = status >= 500 || ending === 'explained' || ending === 'cut' ? 'warn' : 'info'
  log[level]({
    reqId: id, method, path: pathOf(url), status, code, source, route, lane, ending,
    token: credential?.toString(),
    ms: round(performance.now() - startedAt), guardMs: round(guardMs), upstreamMs: round(upstreamMs),
    err: error
  }, code ?? 'done')
}
