import { Dispatcher } from 'undici'
import { TrackedClient, type LaneDispatch, type TrackedOptions } from './connection.ts'
import { Standstill } from './standstill.ts'

/**
 * The connections of a lane, as many as it has requests at once. In contrast to undici's Pool one that is kept comes before
 * one that is to be made: then a request can pass though nothing can be connected to, and fewer meet a stale socket.
 */
export class Connections extends Dispatcher {
  readonly #origin: URL
  readonly #options: TrackedOptions
  #clients: TrackedClient[] = []
  readonly #standstill: Standstill

  constructor (origin: string, options: TrackedOptions) {
    super()
    this.#origin = new URL(origin)
    this.#options = options
    this.#standstill = new Standstill(options.circuit.clock, () => this.#clients.some(({ kept, idle }) => kept || !idle), () => { this.#forget() })
  }

  /** Whether a request could go without connecting first. */
  get kept (): boolean { return this.#clients.some(client => client.kept) }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const fresh = (options as LaneDispatch).fresh === true && !this.#options.circuit.open
    this.#choose(fresh).dispatch(options, handler)
    return true // each request has a connection of its own, so there is none to wait for
  }

  override async destroy (): Promise<void> {
    this.#standstill.stop()
    await Promise.all(this.#clients.map(client => client.destroy()))
  }

  /**
   * Ends the connections that nothing goes over: their upstreams may have closed them while nobody here could hear it, and
   * whatever is between may have forgotten them. A request that may not be repeated would be lost on them.
   */
  #forget (): void {
    const old = this.#clients.filter(({ kept }) => kept)
    this.#clients = this.#clients.filter(client => !old.includes(client))
    for (const client of old) void client.destroy()
    this.#options.circuit.retry()
  }

  /** @param fresh whether a kept socket, which may be stale, will not do */
  #choose (fresh: boolean): TrackedClient {
    this.#standstill.look()
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
