import type { Config } from '../../../config/config.ts'
import { isOwnHost, leadsHere, ownOrigin, portOf } from '../../own-address.ts'
import type { Finding, Severity, Subject } from '../finding.ts'

/** What a client expects of its base URL. */
export interface Expectation {
  /** Paths on which it works with the default routes, the best one first, without a last slash. */
  readonly paths: readonly string[]
  /** What the client itself puts before the leaf of every request. */
  readonly adds?: string
  /** Paths that only some of the clients that read it need, each with who they are. */
  readonly only?: Readonly<Record<string, string>>
  /** The line that sets it right, for the base URL given. */
  readonly mend: (url: string) => string
  /** How bad it is when the client goes elsewhere. */
  readonly elsewhere: Extract<Severity, 'note' | 'warning'>
}

const defaultPrefixes = ['/backend-api', '/v1/messages', '/v1']

/** Without user, password and query, which can be secrets. */
const safe = ({ protocol, host, pathname }: URL): string => `${protocol}//${host}${pathname}`

/** Whether a text is a URL that leads here. */
export const pointsHere = (text: string, config: Config): boolean => URL.canParse(text) && leadsHere(new URL(text), config)

/** Says where a client's base URL leads. */
export function judgeBaseUrl (look: Subject, text: string, { paths: [best = '', ...others], adds = '', only = {}, mend, elsewhere }: Expectation, config: Config): Finding {
  const line = mend(`${ownOrigin(config)}${best}`)
  if (!URL.canParse(text)) return look.problem('is no URL', line)
  const url = new URL(text)
  if (!leadsHere(url, config)) {
    return isOwnHost(url.hostname, config)
      ? look[elsewhere](`${safe(url)} leads to port ${portOf(url)}, codex-sidecar has ${config.port}`, line)
      : look[elsewhere](`${safe(url)} goes past codex-sidecar`, line)
  }
  if (url.protocol !== 'http:') return look.problem(`${safe(url)} asks for TLS, which codex-sidecar does not speak to clients`, line)
  const path = url.pathname.replace(/\/+$/, '')
  const { origin } = url
  if (only[path] !== undefined) return { ...look.note(`${safe(url)} points here with a path that only ${only[path]} needs`, line), origin }
  const route = config.routes.find(({ prefix }) => `${path}${adds}/`.startsWith(`${prefix}/`))
  if (route !== undefined && (path === best || others.includes(path) || !defaultPrefixes.includes(route.prefix))) return { ...look.ok(`${safe(url)} points here`), origin }
  return look.problem(`${safe(url)} points here with a path that does not work for it`, line)
}
