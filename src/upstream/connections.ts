import { Dispatcher } from 'undici'
import { TrackedClient, type TrackedOptions } from './connection.ts'

/**
 * The connections of a lane, as many as it has requests at once. In contrast to undici's Pool one that is kept comes before
 * one that is to be made: then a request can pass though nothing can be connected to, and fewer meet a stale socket.
 */
export class Connections extends Dispatcher {
  readonly #origin: URL
  readonly #options: TrackedOptions
  readonly #clients: TrackedClient[] = []

  constructor (origin: string, options: TrackedOptions) {
    super()
    this.#origin = new URL(origin)
    this.#options = options
  }

  /** Whether a request could go without connecting first. */
  get kept (): boolean { return this.#clients.some(client => client.kept) }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#choose().dispatch(options, handler)
    return true // each request has a connection of its own, so there is none to wait for
  }

  override async destroy (): Promise<void> { await Promise.all(this.#clients.map(client => client.destroy())) }

  #choose (): TrackedClient {
    let spare: TrackedClient | undefined
    for (const client of this.#clients) {
      if (client.kept) return client
      if (client.idle) spare ??= client
    }
    if (spare !== undefined) return spare
    const client = new TrackedClient(this.#origin, this.#options)
    this.#clients.push(client)
    return client
  }
}
