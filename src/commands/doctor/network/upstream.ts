import { lookup } from 'node:dns/promises'
import { rootCertificates } from 'node:tls'
import { systemClock } from '../../../clock.ts'
import type { Config } from '../../../config/config.ts'
import type { Route } from '../../../config/options.ts'
import { nameOf } from '../../../config/routes.ts'
import { Circuit } from '../../../upstream/circuit.ts'
import { createWay } from '../../../upstream/connect/way.ts'
import { Lane } from '../../../upstream/lane.ts'
import { subject, type Finding } from '../finding.ts'
import { filled } from '../../../config/home.ts'
import { clockFinding } from './clock.ts'
import { troubleOf } from './trouble.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What was heard of an upstream; no credential is sent. */
interface Heard { status: number, date: number, took: number }

/** A request as the proxy's lanes make it, except that it trusts what `ca` says. */
async function knock (route: Route, config: Config, ca: readonly string[] | undefined): Promise<Heard> {
  const { origin, pathname } = new URL(route.upstream)
  const { connect } = config.times
  const lane = new Lane('probe', createWay(origin, { ...config, ca }, nameOf(route)), config, new Circuit(systemClock, connect))
  const start = performance.now()
  try {
    const { statusCode: status, headers } = await lane.request({ origin, path: pathname, method: 'HEAD', signal: AbortSignal.timeout(connect * 2) })
    return { status, date: Date.parse(String(headers['date'])), took: Math.round(performance.now() - start) }
  } finally {
    await lane.close()
  }
}

/**
 * TLS that only a CA besides Node's own makes good is someone's who reads along.
 * @param own Node's own CAs, PEM
 */
export async function interception (route: Route, env: Env, config: Config, own: readonly string[] = rootCertificates): Promise<Finding[]> {
  const extra = config.ca ?? filled(env['NODE_EXTRA_CA_CERTS'])
  if (extra === undefined || !route.upstream.startsWith('https:')) return []
  try {
    await knock(route, config, own)
    return []
  } catch {
    return [subject('upstream.interception', `TLS to ${new URL(route.upstream).host}`).note('holds only with the extra CA: a proxy of your network reads along')]
  }
}

async function upstreamFindings (route: Route, env: Env, config: Config): Promise<{ findings: Finding[], skew?: Finding | undefined }> {
  const { upstream: url } = route
  const { hostname, host, protocol } = new URL(url)
  const proxy = config.proxies.before(url, nameOf(route))
  const look = subject('upstream', `upstream ${host}${proxy === undefined ? '' : ' through the proxy'}`)
  try {
    if (proxy === undefined) await lookup(hostname.replace(/^\[|\]$/g, ''))
    const { status, date, took } = await knock(route, config, config.ca)
    return {
      findings: [look.ok(`answers ${status} in ${took} ms${protocol === 'https:' ? ', TLS verified' : ''}`), ...await interception(route, env, config)],
      skew: clockFinding(host, date)
    }
  } catch (error) {
    const { words, mend } = troubleOf(error as Error, { url, patience: config.times.connect, proxy })
    return { findings: [look.problem(words, mend)] }
  }
}

/** Looks at each upstream once, all at the same time, and at the clock by the first one that tells the time. */
export async function networkFindings (env: Env, config: Config): Promise<Finding[]> {
  const byWay = new Map(config.routes.map(route => [`${new URL(route.upstream).origin} ${config.proxies.before(route.upstream, nameOf(route))?.source}`, route]))
  const heard = await Promise.all([...byWay.values()].map(route => upstreamFindings(route, env, config)))
  const skew = heard.find(({ skew }) => skew !== undefined)?.skew
  return [...heard.flatMap(({ findings }) => findings), ...skew === undefined ? [] : [skew]]
}
