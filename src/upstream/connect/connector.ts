import type { Socket } from 'node:net'
import { errors, type buildConnector } from 'undici'
import type { Identity } from '../../config/network/certificates.ts'
import type { ForwardProxy } from '../../config/network/proxy.ts'
import { aborted } from './aborted.ts'
import { reach, type Endpoint } from './happy-eyeballs.ts'
import { openHttpTunnel } from './http-tunnel.ts'
import { ProxyError, type ProxyTrouble } from './proxy-error.ts'
import { createSecure } from './secure.ts'
import { openSocksTunnel } from './socks-tunnel.ts'

/**
 * ms of silence after which the system asks an upstream socket's peer. Node's libuv then asks ten times in ten seconds and no
 * more, so that a gap in the network would end an answer that is only silent; undici's 60 s would make that likely, and the
 * four minutes after which some routers forget a connection are too late.
 */
const KEEP_ALIVE = 200_000

/** Parts in which the time for a connect passes: one in which this machine slept, or was too busy to look, counts as one. */
const STEPS = 10

/** A connect that is under way. */
export interface Dial { readonly destroy: (reason: Error) => void }

/** Connects for an undici client. */
export type Connector = (target: buildConnector.Options, callback: buildConnector.Callback) => Dial

export interface ConnectorOptions {
  /** ms for all of it: name, addresses, proxy, TLS. */
  readonly timeout: number
  /** CAs that are trusted, PEM; Node's own where undefined. */
  readonly ca: readonly string[] | undefined
  /** What is shown to the upstream. */
  readonly identity: Identity | undefined
  readonly proxy: ForwardProxy | undefined
  /** Whether an HTTP proxy is told whole URLs, so that it needs no tunnel. */
  readonly forwarded: boolean
}

/** Has a socket end with the connect that it is for. */
type Hold = (socket: Socket) => Socket

/** Where a URL's server listens. */
export function endpointOf ({ hostname, port, protocol }: Pick<buildConnector.Options, 'hostname' | 'port' | 'protocol'>): Endpoint {
  return { hostname, port: port === '' ? protocol === 'https:' ? 443 : 80 : Number(port) }
}

const authority = ({ hostname, port }: Endpoint): string => `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`

/** A failure at the proxy, told from one at the upstream. */
async function ofProxy<T> (trouble: ProxyTrouble, connecting: Promise<T>): Promise<T> {
  try {
    return await connecting
  } catch (error) {
    throw new ProxyError(trouble, `no connection to the proxy (${(error as NodeJS.ErrnoException).code})`)
  }
}

/**
 * Makes every connection to an upstream, so that circuit, times and TLS checks are the same whatever is on the way. Names
 * are resolved anew each time.
 */
export function createConnector ({ timeout, ca, identity, proxy, forwarded }: ConnectorOptions): Connector {
  const toUpstream = createSecure(ca, identity, KEEP_ALIVE)
  const toProxy = createSecure(ca, undefined, KEEP_ALIVE)
  const reachProxy = async (proxy: ForwardProxy, signal: AbortSignal, hold: Hold): Promise<Socket> => {
    const socket = hold(await ofProxy('PROXY_UNREACHABLE', reach(proxy, signal)))
    return proxy.scheme === 'https' ? hold(await ofProxy('PROXY_TLS', toProxy(socket, proxy))) : socket
  }

  const establish = async (target: buildConnector.Options, signal: AbortSignal, hold: Hold): Promise<Socket> => {
    const endpoint = endpointOf(target)
    const socket = proxy === undefined ? hold(await reach(endpoint, signal)) : await reachProxy(proxy, signal, hold)
    if (proxy !== undefined && !forwarded) {
      if (proxy.scheme.startsWith('http')) await openHttpTunnel(socket, proxy, authority(endpoint))
      else await openSocksTunnel(socket, proxy, endpoint, timeout * 2) // ours comes first
    }
    if (target.protocol === 'https:') return hold(await toUpstream(socket, endpoint, target.servername))
    return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE)
  }

  return (target, callback) => {
    if (target.protocol === 'https:') toUpstream.prepare() // its time is not the connect's
    const ending = new AbortController()
    const { signal } = ending
    let steps = STEPS
    let timer: NodeJS.Timeout | undefined
    const tick = (): void => {
      if (steps-- > 0) timer = setTimeout(tick, timeout / STEPS)
      else setImmediate(() => { ending.abort(new errors.ConnectTimeoutError()) }) // what has come by now is told first
    }
    tick()
    /** Ends with the connect, for as long as that is not done. */
    const hold: Hold = socket => {
      socket.on('error', () => {}) // whoever reads it is told
      signal.addEventListener('abort', () => { socket.destroy() })
      return socket
    }
    Promise.race([establish(target, signal, hold), aborted(signal)]).finally(() => { clearTimeout(timer) }).then(
      socket => { callback(null, socket) },
      (error: unknown) => {
        ending.abort(error)
        callback(signal.reason as Error, null)
      }
    )
    return { destroy: reason => { ending.abort(reason) } }
  }
}
