import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one connection that are in work at once: those behind them wait, since their answers have to come in order anyway. */
const AT_ONCE = 16

/** Requests of one connection that are begun, or given up, in one turn of the event loop: others are to have their turn meanwhile. */
const A_TURN = 16

/** Requests of one connection that may wait until no more is read from it. We then see no client leave, so it is more than any real one has. */
const WAITING = 1_000

/** A request whose turn has not come. */
interface Waiting {
  readonly listener: RequestListener
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** It waits no longer. */
  readonly done: () => void
}

/** What a connection has under way. */
class Pipeline {
  /** Open answers in the order of their requests (RFC 9112 section 9.3.2). */
  readonly open: ServerResponse[] = []
  readonly #waiting: Waiting[] = []
  readonly #socket: Socket
  /** Whether we are told when it reads on. */
  #watched = false
  /** What this turn's share still has. */
  #share = A_TURN

  constructor (socket: Socket) {
    this.#socket = socket
    socket.once('close', () => { this.#leave([...this.open]) })
  }

  /** Whether another one is begun at once. */
  get #free (): boolean { return this.open.length - this.#waiting.length < AT_ONCE }

  get #full (): boolean { return this.#waiting.length > WAITING }

  take (listener: RequestListener, request: IncomingMessage, response: ServerResponse, wait: () => () => void): void {
    const free = this.#waiting.length === 0 && this.#free // none is begun before one that came first
    this.open.push(response)
    if (free) {
      listener(request, response)
      return
    }
    this.#waiting.push({ listener, request, response, done: wait() })
    if (this.#full) this.#hold()
  }

  end (response: ServerResponse): void {
    const at = this.open.indexOf(response)
    if (at < 0) return
    this.open.splice(at, 1)
    if (this.#waiting.length > 0) this.#advance()
  }

  /** Reads no more, though Node wants to go on each time that a request is over. */
  #hold (): void {
    if (!this.#watched) this.#socket.on('resume', () => { if (this.#full) this.#socket.pause() })
    this.#watched = true
    this.#socket.pause()
  }

  /** Begins those whose turn has come. */
  #advance (): void {
    while (this.#share > 0 && this.#waiting.length > 0 && this.#free && !this.#socket.destroyed) {
      const { listener, request, response, done } = this.#waiting.shift() as Waiting
      if (this.#share-- === A_TURN) setImmediate(() => { this.#share = A_TURN; this.#advance() })
      listener(request, response)
      done()
    }
    if (!this.#full && this.#socket.isPaused()) this.#socket.resume()
  }

  /** The client is gone: what is open is over, and of what waits nothing is begun. */
  #leave (open: ServerResponse[]): void {
    for (const response of open.splice(0, A_TURN)) {
      if (response.socket === null) response.destroy().emit('close')
    }
    for (const { done } of this.#waiting.splice(0, A_TURN)) done()
    if (open.length > 0) setImmediate(() => { this.#leave(open) })
  }
}

/** Where a connection holds it; see credential/per-connection.ts for what a WeakMap would cost. */
const held = Symbol('pipeline')

type Tracked = Socket & { [held]?: Pipeline }

/**
 * The requests of each client connection. Node reads as many as come and gives them all to us at once, and the socket to
 * the first answer only; when the client leaves it tells that one alone, and the others would wait for ever.
 */
export function trackPipelines () {
  return {
    /**
     * Begins a request, now or in its turn; its answer is to be ended.
     * @param wait called where it has to wait: what it returns is called when it waits no longer
     */
    take (listener: RequestListener, request: IncomingMessage, response: ServerResponse, wait: () => () => void): void {
      const socket = request.socket as Tracked
      const pipeline = socket[held] ?? new Pipeline(socket)
      socket[held] = pipeline
      pipeline.take(listener, request, response, wait)
    },

    /** An answer is over: finished, or its client is gone. That to an upgrade is none of these. */
    ended (response: ServerResponse): void { (response.req.socket as Tracked)[held]?.end(response) },

    /**
     * Calls `next` once the answer to every request that has come whole on this connection is finished; never where
     * the client leaves first.
     */
    after (socket: Socket, next: () => void): void {
      const last = (socket as Tracked)[held]?.open.filter(({ req }) => req.complete).at(-1)
      if (last === undefined) next()
      else last.once('close', () => { if (!socket.destroyed) next() })
    }
  }
}

export type Pipelines = ReturnType<typeof trackPipelines>
