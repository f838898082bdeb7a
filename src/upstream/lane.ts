import { EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici'
import { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { Circuit } from './circuit.ts'
import { TrackedClient, type LaneDispatch, type TrackedOptions } from './connection.ts'

/** Verified: tokens with an active verdict. Unverified: all others. */
export type LaneName = 'verified' | 'unverified'

/** Questions about tokens in flight at once on a route. */
const PROBES = 5

/** Upstream sockets that no other lane or route shares, and the count of requests they carry. */
export class Lane {
  readonly name: LaneName | 'probe'
  readonly #limit: number
  readonly #pool: Pool | EnvHttpProxyAgent
  readonly #circuit: Circuit
  #inFlight = 0

  constructor (name: LaneName | 'probe', origin: string, { lanes, times, ca, proxied, noProxy }: Config, circuit: Circuit) {
    this.name = name
    this.#circuit = circuit
    this.#limit = name === 'probe' ? PROBES : lanes[name]
    // Nothing here turns rejectUnauthorized off: TLS is always verified.
    const tls = { timeout: times.connect, ...(ca === undefined ? undefined : { ca: [...ca] }) }
    const factory = (at: URL, options: object): TrackedClient => new TrackedClient(at, { ...options as Omit<TrackedOptions, 'circuit'>, circuit })
    const options = {
      connections: this.#limit,
      pipelining: 1, // one slow answer must not hold up another
      maxHeaderSize: 65_536,
      bodyTimeout: times.idleStream,
      connect: tls
    }
    this.#pool = proxied
      ? new EnvHttpProxyAgent({ ...options, factory: (at: URL, o: Pool.Options) => new Pool(at, { ...o, factory }), noProxy, requestTls: tls, proxyTls: tls })
      : new Pool(origin, { ...options, factory })
  }

  /** Requests in flight at most. */
  get limit (): number { return this.#limit }

  /** Requests in flight. */
  get inFlight (): number { return this.#inFlight }

  /** Whether a request could go now; one that needs not be made at all should not take a circuit's trial. */
  get free (): boolean { return this.#inFlight < this.#limit && !this.#circuit.open }

  /**
   * Takes a place for a request; the function returned gives it back and may be called once.
   * @throws SidecarError `lane_full`, or the last failure of an upstream that can not be connected to
   */
  enter (): () => void {
    if (this.#inFlight >= this.#limit) throw new SidecarError('lane_full', { detail: String(this.#limit), retryAfter: 1 })
    this.#circuit.enter()
    this.#inFlight++
    return () => { this.#inFlight-- }
  }

  /** Sends a request; the caller has entered. */
  dispatch (options: LaneDispatch, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch(options, handler)
  }

  /** An answer has begun: the upstream is there. */
  answered (): void { this.#circuit.succeeded() }

  /** Makes one request of our own; the caller has entered. */
  async request (options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData> {
    const tracked: Dispatcher.RequestOptions & LaneDispatch = { ...options, onConnection: () => {} }
    return await this.#pool.request(tracked)
  }

  /** Ends all sockets, those with requests in flight too. */
  async close (): Promise<void> { await this.#pool.destroy() }
}
