import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import { pairsOf, valuesOf } from '../wire/headers.ts'
import { ServerResponse } from '../wire/node-http.ts'
import type { Pipelines } from './pipeline.ts'

/** What an upgrade brings besides its request. */
export interface Upgrade {
  readonly socket: Socket
  /** Bytes that the client sent behind its request. */
  readonly head: Buffer
  /** Lets a tunnel have the socket: nothing of the request is kept for it, nor it for the request. */
  readonly release: () => void
}

const key = /^[A-Za-z0-9+/]{22}==$/ // 16 bytes, RFC 6455 section 4.1

/** Whether a request asks for a WebSocket: it is a GET, and one of the protocols that it would change to is that one. */
const asksForWebSocket = ({ method, headers: { upgrade } }: IncomingMessage): boolean =>
  method === 'GET' && String(upgrade).split(',').some(protocol => protocol.trim().toLowerCase() === 'websocket')

/**
 * Only a WebSocket handshake may pass (RFC 6455 section 4.2.1), since a tunnel is a raw line to the upstream on which
 * nobody judges anything.
 * @throws SidecarError `invalid_request`
 */
export function checkHandshake ({ headers, rawHeaders }: IncomingMessage): void {
  const valid = (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined &&
    valuesOf(rawHeaders, 'sec-websocket-version').join() === '13' &&
    key.test(valuesOf(rawHeaders, 'sec-websocket-key').join())
  if (!valid) throw new SidecarError('invalid_request', { detail: 'only a WebSocket handshake of version 13 without a body can be upgraded' })
}

/** The fields of an offer to change the protocol, which is not taken (RFC 9110 section 7.8). */
const offer = new Set(['upgrade', 'http2-settings'])

/** A request's head as it came, without its offer. */
function withoutOffer ({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): string {
  const fields = pairsOf(rawHeaders).flatMap(([name, value]) => {
    const field = name.toLowerCase()
    if (offer.has(field)) return []
    if (field !== 'connection') return `${name}: ${value}\r\n`
    const options = value.split(',').filter(option => !offer.has(option.trim().toLowerCase())).join()
    return options.trim() === '' ? [] : `${name}: ${options}\r\n`
  })
  return `${method} ${url} HTTP/${httpVersion}\r\n${fields.join('')}\r\n`
}

const ignore = (): void => {}

/**
 * Sends upgrade requests through the same hooks as all others, so that the same guard judges them, the same error
 * handler answers and the same log line is written. Until a tunnel takes the socket, the answer is plain HTTP.
 * @param wait called where one has to wait for its turn: what it returns is called when it waits no longer, maybe twice
 */
export function acceptUpgrades (app: FastifyInstance, pipelines: Pipelines, wait: () => () => void) {
  /**
   * Hands the connection to Node's parser once more: it stops at every Upgrade field, with the body unread, and only
   * the newest Node can be told not to.
   */
  const serve = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    socket.off('error', ignore)
    socket.unshift(Buffer.concat([Buffer.from(withoutOffer(request), 'latin1'), head]))
    ;(socket as Socket & { server: Server }).server.emit('connection', socket)
  }
  const upgrades = new WeakMap<IncomingMessage, Upgrade>()
  const route = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const response = new ServerResponse(request)
    const drained = (): void => { response.emit('drain') }
    response.shouldKeepAlive = false // Node's parser has let go of the connection
    response.assignSocket(socket)
    response.once('finish', () => { socket.destroySoon() })
    socket.on('drain', drained)
    upgrades.set(request, {
      socket,
      head,
      release: () => {
        upgrades.delete(request)
        response.detachSocket(socket)
        socket.off('drain', drained)
      }
    })
    app.routing(request, response)
  }
  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', ignore) // first of all: a reset must not be an uncaught error, whatever runs meanwhile
    // Pipelined behind a request, its answer comes after that one's, which still has the socket.
    const done = wait()
    socket.once('close', done)
    pipelines.after(socket, () => {
      socket.off('close', done)
      ;(asksForWebSocket(request) ? route : serve)(request, socket, head)
      done()
    })
  })
  return {
    /** The upgrade that a request asks for, if it does. */
    of: (request: IncomingMessage): Upgrade | undefined => request.headers.upgrade === undefined ? undefined : upgrades.get(request)
  }
}

export type Upgrades = ReturnType<typeof acceptUpgrades>
