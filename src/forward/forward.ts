import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Loop } from '../downstream/loop.ts'
import type { Upgrade } from '../downstream/upgrade.ts'
import { ignore, Upload, type Side } from '../downstream/upload.ts'
import type { Switch } from '../tunnel/switching-protocols.ts'
import type { Lane } from '../upstream/lane.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Decision } from '../verdict/guard.ts'
import { holderOf } from '../verdict/unjudged.ts'
import { endToEnd } from '../wire/headers.ts'
import { roomFor } from './error-body.ts'
import { Exchange } from './exchange.ts'

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

/** The longer limit is for answers that come in one piece, after all the reasoning is done. */
const headersTimeout = ({ headers }: IncomingMessage, { times }: Config): number =>
  headers.accept?.includes('text/event-stream') === true ? times.streamHeaders : times.headers

/** Lets a request pass the circuit, and takes a tunnel's place where it needs one; its place in the lane is given back where that fails. */
function admit (lane: Lane, leave: () => void, holder: string, tunnels: Switch | undefined): () => void {
  try {
    lane.pass()
    return tunnels?.admit(holder) ?? ignore
  } catch (error) {
    leave()
    throw error
  }
}

/** An upload goes on no more: the client sends nothing, or the upstream takes nothing. */
const stuck = (side: Side): SidecarError => side === 'client'
  ? new SidecarError('request_timeout', { detail: 'its body fell silent' })
  : new SidecarError('upstream_timeout', { detail: 'it takes nothing of the request’s body' })

export interface ForwardOptions {
  config: Config
  drain: Drain
  tunnels: Switch
  loop: Loop
}

/** A request that the guard has passed. */
export interface Judged {
  upstream: Upstream
  decision: Decision
  /** Raw header list that was judged. */
  fields: readonly string[]
  /** Set where it asks for a WebSocket. */
  upgrade: Upgrade | undefined
  /** Gives its place in the lane back. */
  leave: () => void
}

/**
 * Sends judged requests upstream: HTTP, event streams, and WebSocket handshakes, whose refusals are HTTP answers too.
 * @throws SidecarError `lane_full` for a WebSocket too many, or the last failure of an upstream that can not be connected to; every later failure becomes an answer
 */
export function createForward ({ config, drain, tunnels, loop }: ForwardOptions) {
  const room = roomFor(config.limits.errorBodyBytes)
  const uploadLimits = { ...config.limits, idle: config.times.idleUpload }
  return function forward (request: FastifyRequest, reply: FastifyReply, { upstream, decision, fields, upgrade, leave }: Judged): void {
    const { raw, record } = request
    const lane = upstream.lanes[decision.lane]
    const via = loop.via(upstream.origin)
    const kept = endToEnd(fields, upstream.judged, upstream.route.withheld)
    const headers = record.trace?.outgoing(kept) ?? kept
    if (via !== undefined) headers.push('Via', via)
    const close = admit(lane, leave, holderOf(decision), upgrade === undefined ? undefined : tunnels)
    reply.hijack()
    // Only now: a client with a refused token never sends its body. HTTP/1.0 knows no such answer (RFC 9110 section 10.1.1).
    if (raw.headers.expect !== undefined && raw.httpVersion !== '1.0') reply.raw.writeContinue()
    const upload = hasBody(raw) ? new Upload(raw, uploadLimits, side => { exchange.stop(stuck(side)) }) : undefined
    const exchange: Exchange = new Exchange({
      config, lane, decision, record, upload,
      response: reply.raw,
      heartbeat: upstream.route.heartbeat,
      room,
      head: {
        origin: upstream.origin,
        path: upstream.pathFor(request.url),
        method: request.method,
        headers,
        headersTimeout: upgrade === undefined ? headersTimeout(raw, config) : config.times.handshake,
        upgrade: upgrade === undefined ? null : 'websocket',
        body: null,
        blocking: false, // nothing is pipelined that could wait for this one
        onConnection: connection => { exchange.connection = connection },
        wanted: () => exchange.wanted
      },
      relocate: upstream.relocate,
      onUpgrade: upgrade === undefined
        ? undefined
        : (headers, socket) => {
            upgrade.socket.off('end', left)
            tunnels.join({ upgrade, record, headers, upstream: socket, origin: upstream.origin, proxied: upstream.proxied, explains: upstream.route.dialect === 'openai', overhear: decision.overhear, doubt: decision.doubt, leave: close })
          },
      onEnd: upgraded => {
        leave()
        if (!upgraded) close()
        done()
      }
    })
    const done = drain.track(exchange)
    const left = (): void => { exchange.stop(new SidecarError('upstream_reset', { detail: 'because the client left' })) }
    upgrade?.socket.once('end', left)
    if (upload === undefined) exchange.send()
    else setImmediate(() => { exchange.send() }) // what of its body came with its head is there then
  }
}

export type Forward = ReturnType<typeof createForward>
