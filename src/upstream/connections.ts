import { buildConnector, Dispatcher } from 'undici'
import { TrackedClient, type LaneDispatch, type TrackedOptions } from './connection.ts'

/** Options for each connection, which share one way to connect. */
export type ConnectionsOptions = Omit<TrackedOptions, 'connect'> & { connect: TrackedOptions['connect'] | buildConnector.BuildOptions }

/**
 * The connections of a lane, as many as it has requests at once. In contrast to undici's Pool one that is kept comes before
 * one that is to be made: then a request can pass though nothing can be connected to, and fewer meet a stale socket.
 */
export class Connections extends Dispatcher {
  readonly #origin: URL
  readonly #options: TrackedOptions
  readonly #clients: TrackedClient[] = []

  constructor (origin: string | URL, { connect, ...options }: ConnectionsOptions) {
    super()
    this.#origin = new URL(origin)
    this.#options = { ...options, connect: typeof connect === 'function' ? connect : buildConnector(connect) }
  }

  /** Whether a request could go without connecting first. */
  get kept (): boolean { return this.#clients.some(client => client.kept) }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const fresh = (options as LaneDispatch).fresh === true && !this.#options.circuit.open
    this.#choose(fresh).dispatch(options, handler)
    return true // each request has a connection of its own, so there is none to wait for
  }

  override async destroy (): Promise<void> { await Promise.all(this.#clients.map(client => client.destroy())) }

  /** @param fresh whether a kept socket, which may be stale, will not do */
  #choose (fresh: boolean): TrackedClient {
    let spare: TrackedClient | undefined
    for (const client of this.#clients) {
      if (client.kept) {
        if (!fresh) return client
      } else if (client.idle) spare ??= client
    }
    if (spare !== undefined) return spare
    const client = new TrackedClient(this.#origin, this.#options)
    this.#clients.push(client)
    return client
  }
}
