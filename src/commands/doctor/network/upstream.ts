import { lookup } from 'node:dns/promises'
import { rootCertificates } from 'node:tls'
import { Client, EnvHttpProxyAgent, Pool, request, type buildConnector } from 'undici'
import type { Config } from '../../../config/config.ts'
import { ofConnect } from '../../../upstream/connection.ts'
import { subject, type Finding } from '../finding.ts'
import { filled } from '../home.ts'
import { clockFinding } from './clock.ts'
import { isExempt, proxiesOf } from './proxy.ts'
import { troubleOf } from './trouble.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What was heard of an upstream; no credential is sent. */
interface Heard { status: number, date: number, took: number }

/** A connection that is dialled once, so that a proxy that hangs up is not dialled for ever. */
const dialOnce = (origin: URL, { connect, ...options }: Client.Options & { connect: buildConnector.connector }): Client => new Client(origin, {
  ...options,
  connect: (target, callback) => {
    connect(target, (...result) => {
      const [error] = result
      if (error === null) callback(...result)
      else callback(ofConnect(error, origin), null)
    })
  }
})

/** A request as the proxy's lanes make it, except that it trusts what `ca` says. */
async function knock (url: string, { env, config, ca }: { env: Env, config: Config, ca: readonly string[] | undefined }): Promise<Heard> {
  const { http = '', https = '' } = proxiesOf(env)
  const tls = { timeout: config.times.connect, ...ca === undefined ? {} : { ca: [...ca] } }
  const dispatcher = new EnvHttpProxyAgent({
    factory: (origin: URL, options: Pool.Options) => new Pool(origin, { ...options, factory: (at, o) => dialOnce(at, o as Parameters<typeof dialOnce>[1]) }),
    httpProxy: http,
    httpsProxy: https,
    noProxy: config.noProxy,
    connect: tls,
    requestTls: tls,
    proxyTls: tls
  })
  const start = performance.now()
  try {
    const { statusCode: status, headers } = await request(url, { method: 'HEAD', dispatcher, signal: AbortSignal.timeout(config.times.connect * 2) })
    return { status, date: Date.parse(String(headers['date'])), took: Math.round(performance.now() - start) }
  } finally {
    await dispatcher.destroy()
  }
}

/**
 * TLS that only a CA besides Node's own makes good is someone's who reads along.
 * @param own Node's own CAs, PEM
 */
export async function interception (url: string, env: Env, config: Config, own: readonly string[] = rootCertificates): Promise<Finding[]> {
  const extra = config.ca ?? filled(env['NODE_EXTRA_CA_CERTS'])
  if (extra === undefined || !url.startsWith('https:')) return []
  try {
    await knock(url, { env, config, ca: own })
    return []
  } catch {
    return [subject('upstream.interception', `TLS to ${new URL(url).host}`).note('holds only with the extra CA: a proxy of your network reads along')]
  }
}

async function upstreamFindings (url: string, env: Env, config: Config): Promise<{ findings: Finding[], skew?: Finding | undefined }> {
  const { hostname, host, protocol } = new URL(url)
  const proxied = proxiesOf(env)[protocol === 'https:' ? 'https' : 'http'] !== undefined && !isExempt(hostname, config.noProxy)
  const look = subject('upstream', `upstream ${host}${proxied ? ' through the proxy' : ''}`)
  try {
    if (!proxied) await lookup(hostname.replace(/^\[|\]$/g, ''))
    const { status, date, took } = await knock(url, { env, config, ca: config.ca })
    return {
      findings: [look.ok(`answers ${status} in ${took} ms${protocol === 'https:' ? ', TLS verified' : ''}`), ...await interception(url, env, config)],
      skew: clockFinding(host, date)
    }
  } catch (error) {
    const { words, mend } = troubleOf(error as Error, url, config.times.connect)
    return { findings: [look.problem(words, mend)] }
  }
}

/** Looks at each upstream once, all at the same time, and at the clock by the first one that tells the time. */
export async function networkFindings (env: Env, config: Config): Promise<Finding[]> {
  const byOrigin = new Map(config.routes.map(({ upstream }) => [new URL(upstream).origin, upstream]))
  const heard = await Promise.all([...byOrigin.values()].map(url => upstreamFindings(url, env, config)))
  const skew = heard.find(({ skew }) => skew !== undefined)?.skew
  return [...heard.flatMap(({ findings }) => findings), ...skew === undefined ? [] : [skew]]
}
