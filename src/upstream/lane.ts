import type { Dispatcher } from 'undici'
import type { Config } from '../config/config.ts'
import type { Circuit } from './circuit.ts'
import type { Way } from './connect/way.ts'
import type { LaneDispatch } from './connection.ts'
import { Connections } from './connections.ts'
import { Knock } from './knock.ts'
import { Shares } from './shares.ts'

/** Verified: tokens with an active verdict. Unverified: all others. */
export type LaneName = 'verified' | 'unverified'

/** Questions about tokens in flight at once on a route, and how many of them are kept from tokens that nothing is known of. */
const PROBES = { all: 6, kept: 1 }

/** Upstream sockets that no other lane or route shares, and the count of requests they carry. */
export class Lane {
  readonly name: LaneName | 'probe'
  /** Its places, a fair share for each token. */
  readonly shares: Shares
  /** Fails requests at once while nothing can be connected to. */
  readonly circuit: Circuit
  readonly #way: Way
  readonly #knock: Knock
  readonly #connections: Connections
  /** For WebSockets, where requests need no tunnel. */
  readonly #tunnelled: Connections

  constructor (name: LaneName | 'probe', way: Way, { lanes, times }: Config, circuit: Circuit) {
    this.name = name
    this.circuit = circuit
    this.shares = new Shares(name === 'probe' ? PROBES.all : lanes[name])
    this.#way = way
    this.#knock = new Knock({ reach: way.knock, wanted: () => circuit.open, onReached: () => { circuit.retry() } })
    const options = {
      pipelining: 1, // one slow answer must not hold up another
      maxHeaderSize: 65_536,
      bodyTimeout: times.idleStream,
      circuit
    }
    this.#connections = new Connections(way.origin, { ...options, connect: way.connect })
    this.#tunnelled = way.connect === way.tunnel ? this.#connections : new Connections(way.origin, { ...options, connect: way.tunnel })
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

  /**
   * Takes a place for a question of our own, which nobody's share is; the function returned gives it back and may be called once.
   * @throws SidecarError `lane_full`, or the last failure of an upstream that can not be connected to
   */
  enter (): () => void {
    if (!this.shares.admits('')) throw this.shares.full()
    this.pass()
    return this.shares.take('')
  }

  /** @throws SidecarError the last failure of an upstream that can not be connected to */
  pass (): void {
    if (!this.circuit.open || this.#connections.kept) return
    this.#knock.begin()
    this.circuit.enter()
  }

  /** Sends a request; the caller has entered. */
  dispatch (options: LaneDispatch, handler: Dispatcher.DispatchHandler): void {
    if (options.upgrade === 'websocket') this.#tunnelled.dispatch(options, handler)
    else this.#connections.dispatch(this.#way.address(options), handler)
  }

  /** Makes one request of our own; the caller has entered. */
  async request (options: Dispatcher.RequestOptions & { signal: AbortSignal }): Promise<Dispatcher.ResponseData> {
    const tracked: Dispatcher.RequestOptions & LaneDispatch = { ...options, onConnection: () => {}, wanted: () => !options.signal.aborted }
    return await this.#connections.request(this.#way.address(tracked))
  }

  /** Ends all sockets, those with requests in flight too. */
  async close (): Promise<void> {
    this.#knock.stop()
    await Promise.all([this.#connections.destroy(), this.#tunnelled.destroy()])
  }
}
