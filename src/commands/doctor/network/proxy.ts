import { subject, type Finding } from '../finding.ts'
import { filled } from '../home.ts'

type Env = Readonly<Record<string, string | undefined>>

/** A variable in lower or upper case, lower first, as undici and curl read it. */
const variable = (env: Env, name: string): string | undefined => filled(env[name.toLowerCase()]) ?? filled(env[name])

/** The proxies that the environment names: for http URLs, for https URLs, and the hosts that none stands before. */
export function proxiesOf (env: Env) {
  const http = variable(env, 'HTTP_PROXY')
  return { http, https: variable(env, 'HTTPS_PROXY') ?? http, all: variable(env, 'ALL_PROXY'), none: variable(env, 'NO_PROXY') ?? '' }
}

/** Whether NO_PROXY names a host. */
export const isExempt = (host: string, none: string): boolean => none.split(/[\s,]+/).some(entry => {
  const name = entry.replace(/^\*?\./, '').replace(/:\d+$/, '').toLowerCase()
  return entry === '*' || (name !== '' && (host === name || host.endsWith(`.${name}`)))
})

/** A proxy's address without its user and password. */
const safe = (text: string): string | undefined => URL.canParse(text) ? new URL(text).host : undefined

/** Looks at the proxy variables: what goes through a proxy, and whether clients would ask it for this machine's own loopback. */
export function proxyFindings (env: Env): Finding[] {
  const { http, https, all, none } = proxiesOf(env)
  const findings: Finding[] = []
  if (https !== undefined) {
    const look = subject('proxy.upstream', 'HTTPS_PROXY')
    const address = safe(https)
    findings.push(address === undefined || address === ''
      ? look.problem('is no URL, so nothing gets out', 'export HTTPS_PROXY=http://HOST:PORT')
      : look.note(`requests to the upstreams go through ${address}`))
  }
  if ((http ?? all) !== undefined && !isExempt('127.0.0.1', none)) {
    findings.push(subject('proxy.loopback', 'NO_PROXY').warning('does not name 127.0.0.1, so clients here may send their requests for codex-sidecar to the proxy',
      `export NO_PROXY="${[none, 'localhost', '127.0.0.1', '::1'].filter(Boolean).join(',')}"`))
  } else if (https !== undefined) findings.push(subject('proxy.loopback', 'NO_PROXY').ok('no proxy stands between clients here and codex-sidecar'))
  return findings
}
