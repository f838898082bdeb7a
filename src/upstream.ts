import type { Socket } from 'node:net'
import { Client, EnvHttpProxyAgent, Pool, type buildConnector, type Dispatcher } from 'undici'
import type { Config } from './config.ts'
import { SidecarError } from './errors.ts'
import type { Route } from './options.ts'

/** Verified: tokens with an active verdict. Unverified: all others. */
export type LaneName = 'verified' | 'unverified'

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
type TrackedOptions = Client.Options & { connect: buildConnector.connector }

/** undici dials for ever while a connect error has this code, as a proxy's has that hangs up (nodejs/undici#3897). */
function final (error: Error): Error {
  return (error as NodeJS.ErrnoException).code === 'UND_ERR_SOCKET'
    ? Object.assign(new Error('the HTTP proxy hung up', { cause: error }), { code: 'UND_ERR_PRX_CONN' })
    : error
}

/**
 * One upstream connection that can be asked about its socket. undici does not say which socket a request got, though
 * only a reused one may be tried again; and it takes a reset for the end of an answer that has no length.
 */
class TrackedClient extends Client implements Connection {
  served = 0
  broken = false
  #socket: Socket | undefined

  constructor (origin: URL, { connect, ...options }: TrackedOptions) {
    super(origin, {
      ...options,
      connect: (target, callback) => {
        connect(target, (...result) => {
          const [error, socket] = result
          this.served = 0
          this.broken = false
          this.#socket = socket ?? undefined
          // Before undici listens. A socket that has become a WebSocket's fails for itself: another is the present one then.
          socket?.on('error', () => { if (this.#socket === socket) this.broken = true })
          if (error === null) callback(...result)
          else callback(final(error), null)
        })
      }
    })
  }

  override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (options as LaneDispatch).onConnection(this)
    return super.dispatch(options, handler)
  }
}

/** Upstream sockets that no other lane or route shares, and the count of requests they carry. */
export class Lane {
  readonly name: LaneName
  readonly #limit: number
  readonly #agent: EnvHttpProxyAgent
  #inFlight = 0

  constructor (name: LaneName, { lanes, times, ca, noProxy }: Config) {
    this.name = name
    this.#limit = lanes[name]
    // Nothing here turns rejectUnauthorized off: TLS is always verified.
    const tls = { timeout: times.connect, ...(ca === undefined ? undefined : { ca: [...ca] }) }
    this.#agent = new EnvHttpProxyAgent({
      factory: (origin: URL, options: Pool.Options) => new Pool(origin, { ...options, factory: (at, o) => new TrackedClient(at, o as TrackedOptions) }),
      noProxy,
      connections: this.#limit,
      pipelining: 1, // one slow answer must not hold up another
      maxHeaderSize: 65_536,
      bodyTimeout: times.idleStream,
      connect: tls,
      requestTls: tls,
      proxyTls: tls
    })
  }

  /** Requests in flight. */
  get inFlight (): number { return this.#inFlight }

  /**
   * Takes a place for a request; the function returned gives it back and may be called once.
   * @throws SidecarError `lane_full`
   */
  enter (): () => void {
    if (this.#inFlight >= this.#limit) throw new SidecarError('lane_full', { detail: String(this.#limit), retryAfter: 1 })
    this.#inFlight++
    return () => { this.#inFlight-- }
  }

  /** Sends a request; the caller has entered. */
  dispatch (options: LaneDispatch, handler: Dispatcher.DispatchHandler): void {
    this.#agent.dispatch(options, handler)
  }

  /** Ends all sockets, those with requests in flight too. */
  async close (): Promise<void> { await this.#agent.destroy() }
}

/** A route with its lanes. */
export interface Upstream {
  readonly route: Route
  readonly origin: string
  /** Path at the upstream for a request target here; the query stays as it is. */
  readonly pathFor: (target: string) => string
  readonly lanes: Readonly<Record<LaneName, Lane>>
  readonly close: () => Promise<void>
}

/** Opens a route's upstream; `close()` ends its sockets. */
export function createUpstream (route: Route, config: Config): Upstream {
  const { origin, pathname } = new URL(route.upstream)
  const base = pathname.replace(/\/$/, '')
  const lanes = { verified: new Lane('verified', config), unverified: new Lane('unverified', config) }
  return {
    route,
    origin,
    pathFor: target => {
      const path = base + target.slice(route.prefix.length)
      return path.startsWith('/') ? path : `/${path}`
    },
    lanes,
    close: async () => { await Promise.all([lanes.verified.close(), lanes.unverified.close()]) }
  }
}
