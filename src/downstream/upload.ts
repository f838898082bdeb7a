import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'

export interface UploadLimits {
  /** Bytes kept for a second try. */
  replayBytes: number
  /** Bytes read on after nobody wants them any more; then the client's connection ends. */
  readOutBytes: number
  /** ms after which a client that sends nothing, or an upstream that takes nothing, is not waited for any longer. */
  idle: number
}

/** Whose turn it is. */
export type Side = 'client' | 'upstream'

/** For errors of a stream whose `close` says all that matters. */
export const ignore = (): void => {}

/** Bytes that are read before the first try is made; most bodies are whole by then. */
const GATHERED = 65_536

/**
 * A request body between two sockets that must not share their fate: undici gets a buffer or a stream of ours, never the
 * request, so an upstream that fails can not stall the client's upload and with it the client's connection.
 */
export class Upload {
  readonly #request: IncomingMessage
  readonly #limits: UploadLimits
  readonly #onIdle: (side: Side) => void
  #sink: PassThrough | undefined
  #kept: Buffer[] | undefined = []
  #keptBytes = 0
  #readOut = 0
  #opened = false
  #ended = false
  #silence: NodeJS.Timeout | undefined

  /**
   * Begins to read: what comes before the first try is made is gathered.
   * @param onIdle told when nothing goes on. While the upstream takes nothing we do not read, and see no client leave.
   */
  constructor (request: IncomingMessage, limits: UploadLimits, onIdle: (side: Side) => void) {
    this.#request = request
    this.#limits = limits
    this.#onIdle = onIdle
    request.on('data', (chunk: Buffer) => { this.#take(chunk) })
    request.on('error', ignore)
    request.on('end', () => { this.#ended = true; this.#sink?.end() })
    request.on('close', () => { clearTimeout(this.#silence); if (!this.#ended) this.#sink?.destroy(new Error('the client left during its upload')) })
  }

  /** Whether all bytes that came so far can be sent once more. */
  get replayable (): boolean { return this.#kept !== undefined }

  /** The body for one try, from its first byte: in one piece where all of it is there, which costs half as much. */
  open (): Readable | Buffer {
    this.#opened = true
    const begin = this.#kept as Buffer[] // a second try is made only where all is kept
    if (this.#keptBytes > this.#limits.replayBytes) this.#kept = undefined
    if (!this.#ended) return this.#stream(begin)
    return begin.length === 1 ? begin[0] as Buffer : Buffer.concat(begin)
  }

  /** The upstream has answered: no second try will come. */
  settle (): void { this.#kept = undefined }

  /** Nobody wants the body any more: it is read on, so that the client can finish and its connection stays usable. */
  release (): void {
    this.#opened = true
    this.#kept = undefined
    this.#sink?.destroy()
    this.#request.resume()
  }

  #stream (begin: readonly Buffer[]): Readable {
    this.#silence ??= setTimeout(() => { if (!this.#ended) this.#onIdle(this.#request.isPaused() ? 'upstream' : 'client') }, this.#limits.idle).unref()
    const sink = new PassThrough({ highWaterMark: 65_536 })
    sink.on('error', ignore)
    sink.on('drain', () => {
      this.#silence?.refresh()
      this.#request.resume()
    })
    for (const chunk of begin) sink.write(chunk)
    this.#sink = sink
    this.#request.resume()
    return sink
  }

  #take (chunk: Buffer): void {
    this.#silence?.refresh()
    const sink = this.#sink
    if (!this.#opened) {
      this.#keptBytes += chunk.length
      this.#kept?.push(chunk)
      if (this.#keptBytes >= GATHERED) this.#request.pause()
    } else if (sink === undefined || sink.destroyed) {
      this.#readOut += chunk.length
      if (this.#readOut > this.#limits.readOutBytes) this.#request.destroy()
    } else {
      this.#keep(chunk)
      if (!sink.write(chunk)) this.#request.pause()
    }
  }

  #keep (chunk: Buffer): void {
    this.#keptBytes += chunk.length
    if (this.#keptBytes > this.#limits.replayBytes) this.#kept = undefined
    this.#kept?.push(chunk)
  }
}

/** Bytes of a body that nobody wants that must come in each span of time: less is a trickle, which could last for ever. */
const TRICKLE = 65_536

/**
 * A request has its answer, and what is still to come of its body is read only so that its connection stays usable. It is
 * not waited for without end.
 * @param span ms
 */
export function readOut (request: IncomingMessage & { upgrade?: boolean }, span: number): void {
  const { socket } = request
  if (request.complete || request.upgrade === true) return
  let before = socket.bytesRead
  const timer = setInterval(() => {
    if (socket.bytesRead - before < TRICKLE) socket.destroy()
    before = socket.bytesRead
  }, span).unref()
  request.once('close', () => { clearInterval(timer) })
}
