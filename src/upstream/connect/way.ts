import type { Dispatcher } from 'undici'
import type { Config } from '../../config/config.ts'
import type { ForwardProxy } from '../../config/network/proxy.ts'
import { createConnector, endpointOf, type Connector } from './connector.ts'
import { reach } from './happy-eyeballs.ts'
import { proxyAuthorization } from './http-tunnel.ts'

/** How an origin is reached: directly, through a proxy, or by a proxy that is told whole URLs. */
export interface Way {
  readonly origin: string
  readonly proxy: ForwardProxy | undefined
  /** For requests. */
  readonly connect: Connector
  /** For what is no HTTP once it is switched: through a tunnel where requests need none. */
  readonly tunnel: Connector
  /**
   * Connects to the first one on the way and hangs up.
   * @throws what prevents it
   */
  readonly knock: () => Promise<void>
  /** A request as it is to be sent on its way. */
  readonly address: <O extends Dispatcher.DispatchOptions>(options: O) => O
}

/** A route's own, where there is one. */
export function createWay (origin: string, { times, ca, identities, proxies }: Pick<Config, 'times' | 'ca' | 'identities' | 'proxies'>, route = ''): Way {
  const proxy = proxies.before(origin, route)
  const common = { timeout: times.connect, ca, identity: identities[route], proxy }
  const { hostname, port, protocol } = new URL(origin)
  const next = proxy ?? endpointOf({ hostname: hostname.replace(/^\[|\]$/g, ''), port, protocol })
  const knock = async (): Promise<void> => { (await reach(next, AbortSignal.timeout(times.connect))).destroy() }
  const tunnel = createConnector({ ...common, forwarded: false })
  // As curl: proxies let CONNECT through to port 443 and perhaps no other (RFC 9110 section 9.3.6).
  if (proxy?.scheme.startsWith('http') !== true || !origin.startsWith('http:')) return { origin, proxy, knock, connect: tunnel, tunnel, address: options => options }
  const authorization = proxyAuthorization(proxy)
  return {
    origin, proxy, knock, tunnel,
    connect: createConnector({ ...common, forwarded: true }),
    address: options => ({ ...options, path: origin + options.path, headers: [...combined(options.headers), ...authorization] })
  }
}

/**
 * Header fields as a raw list, each name once (RFC 9110 section 5.3, RFC 6265 section 5.4): proxies that read a request, as
 * tinyproxy, pass on the first line of a field only.
 */
function combined (headers: Dispatcher.DispatchOptions['headers'] = []): string[] {
  const list = Array.isArray(headers) ? headers : Object.entries(headers as Record<string, string>).flat()
  const fields = new Map<string, [name: string, value: string]>()
  for (let i = 0; i < list.length; i += 2) {
    const [name, value] = [list[i] as string, list[i + 1] as string]
    const key = name.toLowerCase()
    const field = fields.get(key)
    if (field === undefined) fields.set(key, [name, value])
    else field[1] += `${key === 'cookie' ? ';' : ','} ${value}`
  }
  return [...fields.values()].flat()
}
