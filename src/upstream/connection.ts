import type { Socket } from 'node:net'
import { Client, type buildConnector, type Dispatcher } from 'undici'
import type { Circuit } from './circuit.ts'
import type { Connector, Dial } from './connect/connector.ts'
import { readOutFirst } from './connect/read-out.ts'

/** The upstream connection that carries a request. */
export interface Connection {
  /** Answers that came whole over its present socket; 0 while the socket is fresh. */
  served: number
  /** Whether its present socket failed, in contrast to being closed in order. */
  readonly broken: boolean
  /** Gives up connecting, since the request that it is for is over. */
  cancel: () => void
}

/** undici's options, and where the lane tells which connection it chose. */
export interface LaneDispatch extends Dispatcher.DispatchOptions {
  onConnection: (connection: Connection) => void
  /** Whether anybody still waits for the answer. */
  wanted: () => boolean
  /** Whether no kept socket is to be used: one of them has just been stale. */
  fresh?: boolean
}

/** undici's options for a client, how it connects, and what is told of that. */
export type TrackedOptions = Omit<Client.Options, 'connect'> & { connect: Connector, circuit: Circuit }

const unwanted = (): Error => new Error('nobody waits for the connection any longer')

/**
 * One upstream connection that can be asked about its socket. undici does not say which socket a request got, though
 * only a reused one may be tried again; it takes a reset for the end of an answer that has no length; and it dials anew
 * for a request that was aborted on a connection, since that one is then the next in its queue.
 */
export class TrackedClient extends Client implements Connection {
  served = 0
  broken = false
  /** Whether it can take a request. */
  idle = true
  #socket: Socket | undefined
  /** The one that is being connected. */
  #dial: Dial | undefined
  /** Of the last request, the only one it has. */
  #wanted: LaneDispatch['wanted'] | undefined

  constructor (origin: URL, { connect, circuit, ...options }: TrackedOptions) {
    super(origin, {
      ...options,
      connect: (target, callback) => {
        if (this.#wanted?.() === false) {
          process.nextTick(callback, unwanted(), null)
          return
        }
        const round = circuit.begin()
        const dialled = (...result: Parameters<buildConnector.Callback>): void => {
          const [error, socket] = result
          this.served = 0
          this.broken = false
          this.#dial = undefined
          this.#socket = socket ?? undefined
          this.#watch(this.#socket)
          if (error === null) {
            circuit.succeeded()
            callback(...result)
          } else {
            if (this.#wanted?.() !== false) circuit.failed(error, round)
            else circuit.abandoned(round)
            callback(...result)
          }
        }
        this.#dial = connect(target, dialled)
      }
    })
    this.on('drain', () => { this.idle = true })
    this.on('disconnect', () => { this.#socket = undefined })
  }

  /** Whether it can take a request without connecting first. */
  get kept (): boolean { return this.idle && this.#socket !== undefined }

  cancel (): void { this.#dial?.destroy(unwanted()) }

  /** Before undici listens. A socket that has become a WebSocket's fails for itself: another is the present one then. */
  #watch (socket: Socket | undefined): void {
    if (socket === undefined) return
    const broken = (): void => { if (this.#socket === socket) this.broken = true }
    socket.on('error', broken)
    readOutFirst(socket, broken)
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { onConnection, wanted } = options as LaneDispatch
    this.#wanted = wanted
    onConnection(this)
    this.idle = super.dispatch(options, handler) || this.stats.size === 0 // it does not take what is not valid
    return this.idle
  }
}
