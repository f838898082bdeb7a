import { EnvHttpProxyAgent, type Dispatcher } from 'undici'
import type { Config } from '../config/config.ts'
import type { Circuit } from './circuit.ts'
import type { LaneDispatch } from './connection.ts'
import { Connections, type ConnectionsOptions } from './connections.ts'
import { Shares } from './shares.ts'

/** Verified: tokens with an active verdict. Unverified: all others. */
export type LaneName = 'verified' | 'unverified'

/** Questions about tokens in flight at once on a route, and how many of them are kept from tokens that nothing is known of. */
const PROBES = { all: 6, kept: 1 }

/**
 * ms of silence after which the system asks an upstream socket's peer. Node's libuv then asks ten times in ten seconds and no
 * more, so that a gap in the network would end an answer that is only silent; undici's 60 s would make that likely, and the
 * four minutes after which some routers forget a connection are too late.
 */
const KEEP_ALIVE = 200_000

/** Upstream sockets that no other lane or route shares, and the count of requests they carry. */
export class Lane {
  readonly name: LaneName | 'probe'
  /** Its places, a fair share for each token. */
  readonly shares: Shares
  /** Fails requests at once while nothing can be connected to. */
  readonly circuit: Circuit
  readonly #dispatcher: Dispatcher
  /** Those that the dispatcher chooses from; behind a proxy they come with the first request. */
  readonly #connections: Connections[] = []

  constructor (name: LaneName | 'probe', origin: string, { lanes, times, ca, proxied, noProxy }: Config, circuit: Circuit) {
    this.name = name
    this.circuit = circuit
    this.shares = new Shares(name === 'probe' ? PROBES.all : lanes[name])
    // Nothing here turns rejectUnauthorized off: TLS is always verified.
    const tls = { timeout: times.connect, keepAliveInitialDelay: KEEP_ALIVE, ...(ca === undefined ? undefined : { ca: [...ca] }) }
    const options = {
      pipelining: 1, // one slow answer must not hold up another
      maxHeaderSize: 65_536,
      bodyTimeout: times.idleStream,
      connect: tls
    }
    const factory = (at: string | URL, theirs: object): Connections => {
      const connections = new Connections(at, { ...theirs as Omit<ConnectionsOptions, 'circuit'>, circuit })
      this.#connections.push(connections)
      return connections
    }
    this.#dispatcher = proxied ? new EnvHttpProxyAgent({ ...options, factory, noProxy, requestTls: tls, proxyTls: tls }) : factory(origin, options)
  }

  /** Requests in flight at most. */
  get limit (): number { return this.shares.limit }

  /** Requests in flight. */
  get inFlight (): number { return this.shares.taken }

  /**
   * Whether a question could go now.
   * @param known whether it is about a token that was good: junk whose questions hang takes not the last place, so that
   * renewals, and the question for the time, go on
   */
  free (known: boolean): boolean { return this.inFlight < this.limit - (known ? 0 : PROBES.kept) && this.circuit.passes }

  /** Whether a request could go without connecting first. */
  get #kept (): boolean { return this.#connections.some(({ kept }) => kept) }

  /**
   * Takes a place for a request; the function returned gives it back and may be called once.
   * @param holder whose share it is of
   * @throws SidecarError `lane_full`, or the last failure of an upstream that can not be connected to
   */
  enter (holder = ''): () => void {
    if (!this.shares.admits(holder)) throw this.shares.full()
    this.pass()
    return this.shares.take(holder)
  }

  /** @throws SidecarError the last failure of an upstream that can not be connected to */
  pass (): void { if (this.circuit.open && !this.#kept) this.circuit.enter() }

  /** Sends a request; the caller has entered. */
  dispatch (options: LaneDispatch, handler: Dispatcher.DispatchHandler): void {
    this.#dispatcher.dispatch(options, handler)
  }

  /** Makes one request of our own; the caller has entered. */
  async request (options: Dispatcher.RequestOptions & { signal: AbortSignal }): Promise<Dispatcher.ResponseData> {
    const tracked: Dispatcher.RequestOptions & LaneDispatch = { ...options, onConnection: () => {}, wanted: () => !options.signal.aborted }
    return await this.#dispatcher.request(tracked)
  }

  /** Ends all sockets, those with requests in flight too. */
  async close (): Promise<void> { await this.#dispatcher.destroy() }
}
