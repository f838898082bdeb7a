import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { answerTo, serializeAnswer } from '../answers/answer.ts'
import { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { Journal } from '../telemetry/journal.ts'
import type { Refusals } from '../telemetry/refusals.ts'
import type { Pipelines } from './pipeline.ts'

/** What Node's parser reports besides the error itself. */
interface ParserError extends NodeJS.ErrnoException { bytesParsed?: number, rawPacket?: Buffer, reason?: string }

/** The line of a request head that holds the byte at `offset`. */
function lineAt (packet: Buffer, offset: number): string {
  const start = packet.lastIndexOf('\n', Math.max(0, offset - 1)) + 1
  const end = packet.indexOf('\n', offset)
  return packet.toString('latin1', start, end < 0 ? packet.length : end)
}

/**
 * What Node's own bare answers are called in our name. A control character in a token stops Node's parser before any
 * of our code runs; to its sender it is a bad token all the same.
 */
function explainClientError (error: ParserError, { limits }: Config): SidecarError {
  const { code = '', reason = code, rawPacket, bytesParsed = 0 } = error
  if (code === 'HPE_HEADER_OVERFLOW') return new SidecarError('headers_too_large', { detail: `${limits.headerBytes} bytes`, cause: error })
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new SidecarError('request_timeout', { detail: 'its head took too long', cause: error })
  if (rawPacket !== undefined && code.startsWith('HPE_') && /^(?:authorization|x-api-key):/i.test(lineAt(rawPacket, bytesParsed))) {
    return new SidecarError('malformed_token', { detail: 'it holds a control character', cause: error })
  }
  return new SidecarError('invalid_request', { detail: `it is not valid HTTP/1.1 (${reason})`, cause: error })
}

/** Whether an answer can still be written: the peer is there, and no answer of ours is half sent. */
function answerable (socket: Socket): boolean {
  const { _httpMessage: current } = socket as Socket & { _httpMessage?: { headersSent: boolean } | null }
  return socket.writable && current?.headersSent !== true
}

export interface BareErrors { config: Config, log: Logger, pipelines: Pipelines, journal: Journal, refusals: Refusals, nextId: () => string }

/** Answers what never becomes a request, on the bare socket and in its turn; the connection then ends. */
export function answerBareErrors (app: FastifyInstance, { config, log, pipelines, journal, refusals, nextId }: BareErrors) {
  const turned = new WeakSet<Socket>()
  const answer = (error: SidecarError, socket: Socket): void => {
    if (turned.has(socket)) return // Node's parser says it once more for every packet that follows
    turned.add(socket)
    pipelines.after(socket, () => {
      if (!answerable(socket)) return void socket.destroy()
      const reqId = nextId()
      log.info({ reqId, status: error.status, code: error.code }, error.code)
      journal.flush() // those before it come before it
      refusals.bare(error, reqId)
      socket.end(serializeAnswer(answerTo(error, reqId)), () => socket.destroy())
    })
  }
  app.server.on('connect', (_request: unknown, socket: Socket) => {
    socket.on('error', () => {})
    answer(new SidecarError('invalid_request', { detail: 'CONNECT is not for a reverse proxy' }), socket)
  })
  return {
    /** Node's `clientError`. */
    clientError (error: NodeJS.ErrnoException, socket: Socket): void {
      if (error.code === 'ECONNRESET') socket.destroy()
      else answer(explainClientError(error, config), socket)
    }
  }
}
