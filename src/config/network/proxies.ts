import { masked } from '../masked.ts'
import { createExemptions } from './no-proxy.ts'
import type { Route } from '../options.ts'
import { isNone, proxyWords, readProxy, type ForwardProxy } from './proxy.ts'
import { nameOf } from '../routes.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What goes through a proxy, and through which. */
export interface Proxies {
  /** The proxy before an origin; undefined where it is reached directly. A route's own one comes before the environment's. */
  readonly before: (origin: string, route?: string) => ForwardProxy | undefined
}

/** No proxy reaches this machine's own loopback. */
const LOOPBACK = 'localhost,127.0.0.0/8,::1'

/** A variable that is set to something: in lower case before upper case, as in curl. */
export function variableOf (env: Env, name: string): { name: string, value: string } | undefined {
  for (const given of [name.toLowerCase(), name]) {
    const value = env[given]
    if (value !== undefined && value !== '') return { name: given, value }
  }
  return undefined
}

/**
 * The variable that names the proxy for URLs of a protocol. In contrast to curl the upper-case HTTP_PROXY counts too: it is
 * a danger only in CGI programs, whose callers can set it.
 */
export const proxyVariable = (env: Env, protocol: string): ReturnType<typeof variableOf> =>
  variableOf(env, `${protocol.slice(0, -1).toUpperCase()}_PROXY`) ?? variableOf(env, 'ALL_PROXY')

/** What NO_PROXY says. */
export const exemptionsOf = (env: Env): string => variableOf(env, 'NO_PROXY')?.value ?? ''

/**
 * The one place that knows what goes through a proxy. A variable that nothing goes by is not looked at.
 * @param own what the routes say of their proxies, in the same order
 */
export function settleProxies (env: Env, { routes, own }: { routes: readonly Route[], own: readonly (string | undefined)[] }, mistakes: string[]): Proxies {
  const isExempt = createExemptions(`${exemptionsOf(env)},${LOOPBACK}`)
  const settled = new Map<string, ForwardProxy | undefined>()
  const origins: string[] = []
  routes.forEach((route, i) => {
    const text = own[i]
    if (text === undefined) origins.push(route.upstream)
    else settled.set(nameOf(route), isNone(text) ? undefined : readProxy(text, `routes.${i}.proxy`))
    if (route.jwks?.source.startsWith('http') === true) origins.push(route.jwks.source)
  })
  const variableFor = (origin: string): ReturnType<typeof variableOf> => {
    const url = new URL(origin)
    return isExempt(url) ? undefined : proxyVariable(env, url.protocol)
  }
  const byEnvironment = (origin: string): ForwardProxy | undefined => {
    const variable = variableFor(origin)
    return variable === undefined ? undefined : readProxy(variable.value, variable.name)
  }
  const used = new Map(origins.map(origin => variableFor(origin)).filter(variable => variable !== undefined).map(({ name, value }) => [name, value]))
  for (const [name, value] of used) {
    if (readProxy(value, name) === undefined) mistakes.push(`${name}: is ${JSON.stringify(masked(value))}, allowed: ${proxyWords}`)
  }
  return { before: (origin, route = '') => settled.has(route) ? settled.get(route) : byEnvironment(origin) }
}
