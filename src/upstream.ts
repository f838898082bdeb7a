import type { Socket } from 'node:net'
import { Client, EnvHttpProxyAgent, Pool, type buildConnector, type Dispatcher } from 'undici'
import { Circuit } from './circuit.ts'
import type { Config } from './config.ts'
import { SidecarError } from './errors.ts'
import type { Route } from './options.ts'
import type { Clock } from './verdict.ts'

/** Verified: tokens with an active verdict. Unverified: all others. */
export type LaneName = 'verified' | 'unverified'

/** Questions about tokens in flight at once on a route. */
const PROBES = 5

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
type TrackedOptions = Client.Options & { connect: buildConnector.connector, circuit: Circuit }

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
class TrackedClient extends Client implements Connection {
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

/** A route with its lanes. */
export interface Upstream {
  readonly route: Route
  readonly origin: string
  /** Path at the upstream for a request target here; the query stays as it is. */
  readonly pathFor: (target: string) => string
  readonly lanes: Readonly<Record<LaneName, Lane>>
  /** The lane in which it is asked about tokens. */
  readonly probe: Lane
  /** Shared by all lanes. */
  readonly circuit: Circuit
  readonly close: () => Promise<void>
}

/** Opens a route's upstream; `close()` ends its sockets. */
export function createUpstream (route: Route, config: Config, clock: Clock): Upstream {
  const { origin, pathname } = new URL(route.upstream)
  const base = pathname.replace(/\/$/, '')
  const circuit = new Circuit(clock, config.times.connect)
  const lanes = { verified: new Lane('verified', origin, config, circuit), unverified: new Lane('unverified', origin, config, circuit) }
  const probe = new Lane('probe', origin, config, circuit)
  return {
    route,
    origin,
    pathFor: target => {
      const path = base + target.slice(route.prefix.length)
      return path.startsWith('/') ? path : `/${path}`
    },
    lanes,
    probe,
    circuit,
    close: async () => { await Promise.all([lanes.verified, lanes.unverified, probe].map(lane => lane.close())) }
  }
}
