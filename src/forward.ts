import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from './config.ts'
import type { Drain } from './drain.ts'
import { SidecarError } from './errors.ts'
import { Exchange } from './exchange.ts'
import type { Decision } from './guard.ts'
import { endToEnd } from './headers.ts'
import { Upload } from './upload.ts'
import type { Upstream } from './upstream.ts'

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

/** The longer limit is for answers that come in one piece, after all the reasoning is done. */
const headersTimeout = ({ headers }: IncomingMessage, { times }: Config): number =>
  headers.accept?.includes('text/event-stream') === true ? times.streamHeaders : times.headers

/**
 * Sends judged requests upstream, HTTP and event streams alike.
 * @throws SidecarError `lane_full`; every later failure becomes an answer
 */
export function createForward (config: Config, drain: Drain) {
  return function forward (request: FastifyRequest, reply: FastifyReply, upstream: Upstream, decision: Decision): void {
    const { raw, record } = request
    const lane = upstream.lanes[decision.lane]
    const leave = lane.enter()
    reply.hijack()
    // Only now: a client with a refused token never sends its body (RFC 9110 section 10.1.1).
    if (raw.headers.expect !== undefined) reply.raw.writeContinue()
    const exchange = new Exchange({
      config, lane, decision, record,
      requestId: request.id,
      response: reply.raw,
      upload: hasBody(raw) ? new Upload(raw, config.limits) : undefined,
      head: {
        origin: upstream.origin,
        path: upstream.pathFor(request.url),
        method: request.method,
        headers: endToEnd(raw.rawHeaders),
        headersTimeout: headersTimeout(raw, config)
      },
      onEnd: () => { leave(); done() }
    })
    const done = drain.track(() => { exchange.stop(new SidecarError('draining')) })
    exchange.send()
  }
}

export type Forward = ReturnType<typeof createForward>
