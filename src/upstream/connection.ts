import type { Socket } from 'node:net'
import { Client, type buildConnector, type Dispatcher } from 'undici'
import type { Circuit } from './circuit.ts'

/** The upstream connection that carries a request. */
export interface Connection {
  /** Answers that came whole over its present socket; 0 while the socket is fresh. */
  served: number
  /** Whether its present socket failed, in contrast to being closed in order. */
  readonly broken: boolean
}

/** undici's options, and where the lane tells which connection it chose. */
export interface LaneDispatch extends Dispatcher.DispatchOptions {
  onConnection: (connection: Connection) => void
}

/** What undici's pool hands to the connections it makes. */
export type TrackedOptions = Client.Options & { connect: buildConnector.connector, circuit: Circuit }

/** What the failure of a connect is called, so that it can be told from that of a connection that was there. */
export function ofConnect (error: NodeJS.ErrnoException, origin: URL): Error {
  const { code } = error
  const called = code === 'UND_ERR_SOCKET' ? 'UND_ERR_PRX_CONN' // undici dials for ever while it has the first name (nodejs/undici#3897)
    : code === 'ECONNRESET' && origin.protocol === 'https:' ? 'TLS_RESET' : code
  return called === code ? error : Object.assign(new Error('hung up while the connection was being made', { cause: error }), { code: called })
}

/**
 * One upstream connection that can be asked about its socket. undici does not say which socket a request got, though
 * only a reused one may be tried again; and it takes a reset for the end of an answer that has no length.
 */
export class TrackedClient extends Client implements Connection {
  served = 0
  broken = false
  #socket: Socket | undefined

  constructor (origin: URL, { connect, circuit, ...options }: TrackedOptions) {
    super(origin, {
      ...options,
      connect: (target, callback) => {
        connect(target, (...result) => {
          const [error, socket] = result
          this.served = 0
          this.broken = false
          this.#socket = socket ?? undefined
          this.#watch(this.#socket)
          if (error === null) {
            circuit.succeeded()
            callback(...result)
          } else {
            const failure = ofConnect(error, origin)
            circuit.failed(failure)
            callback(failure, null)
          }
        })
      }
    })
  }

  /** Before undici listens. A socket that has become a WebSocket's fails for itself: another is the present one then. */
  #watch (socket: Socket | undefined): void {
    socket?.on('error', () => { if (this.#socket === socket) this.broken = true })
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (options as LaneDispatch).onConnection(this)
    return super.dispatch(options, handler)
  }
}
