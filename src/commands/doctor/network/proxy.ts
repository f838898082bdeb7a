import type { Config } from '../../../config/config.ts'
import { createExemptions } from '../../../config/network/no-proxy.ts'
import { exemptionsOf, proxyVariable, variableOf } from '../../../config/network/proxies.ts'
import { nameOf } from '../../../config/routes.ts'
import { subject, type Finding } from '../finding.ts'

type Env = Readonly<Record<string, string | undefined>>

const unique = (texts: readonly string[]): string => [...new Set(texts)].join(', ')

/** What goes through which proxy, a line for each. */
function upstreamsBehind ({ routes, proxies }: Config): Finding[] {
  const ways = routes.flatMap(route => {
    const proxy = proxies.before(route.upstream, nameOf(route))
    return proxy === undefined ? [] : [{ source: proxy.source, at: `${proxy.scheme}://${proxy.host}`, to: new URL(route.upstream).host }]
  })
  return [...new Set(ways.map(({ source }) => source))].map(source => {
    const behind = ways.filter(way => way.source === source)
    return subject('proxy.upstream', source).note(`requests to ${unique(behind.map(({ to }) => to))} go through ${unique(behind.map(({ at }) => at))}`)
  })
}

/** Looks at the proxies: what goes through them, and whether clients would ask one for this machine's own loopback. */
export function proxyFindings (env: Env, config: Config): Finding[] {
  const findings = upstreamsBehind(config)
  const plain = proxyVariable(env, 'http:')
  if (variableOf(env, 'HTTPS_PROXY') === undefined && variableOf(env, 'ALL_PROXY') === undefined && plain !== undefined && config.routes.some(({ upstream }) => upstream.startsWith('https:'))) {
    findings.push(subject('proxy.https', 'HTTPS_PROXY').note(`is not set, and ${plain.name} stands before http URLs only: upstreams with https are reached directly`, `export HTTPS_PROXY="$${plain.name}"`))
  }
  const none = exemptionsOf(env)
  if (plain !== undefined && !createExemptions(none)(new URL('http://127.0.0.1'))) {
    findings.push(subject('proxy.loopback', 'NO_PROXY').warning('does not name 127.0.0.1, so clients here may send their requests for codex-sidecar to the proxy',
      `export NO_PROXY="${[none, 'localhost', '127.0.0.1', '::1'].filter(Boolean).join(',')}"`))
  } else if (plain !== undefined || findings.length > 0) findings.push(subject('proxy.loopback', 'NO_PROXY').ok('no proxy stands between clients here and codex-sidecar'))
  return findings
}
