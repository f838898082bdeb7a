import { createRequire } from 'node:module'
import type { ErrorObject } from 'ajv'
import type { JSONWebKeySet } from 'jose'
import { readIdentities, readTrust, type Identity } from './network/certificates.ts'
import { clientFolders, type ClientFolders } from './home.ts'
import { readKeySets, readOptions } from './files.ts'
import { masked } from './masked.ts'
import type { formats } from './option-formats.ts'
import { validate } from './options-check.ts'
import { optionsSchema, type Options, type Route } from './options.ts'
import { settleProxies, type Proxies } from './network/proxies.ts'
import { proxyWords } from './network/proxy.ts'
import { settleRoutes } from './routes.ts'

/** All options with their defaults, the routes settled and the CAs read. */
export type Config = Readonly<Omit<Options, 'routes'>> & {
  readonly routes: readonly Route[]
  /** CAs to trust at the upstreams, PEM; Node's own where undefined. */
  readonly ca: readonly string[] | undefined
  /** Certificates that are shown to upstreams, by the names of their routes. */
  readonly identities: Readonly<Record<string, Identity>>
  /** Contents of the key sets that are files, by their names. */
  readonly keySets: Readonly<Record<string, JSONWebKeySet>>
  /** Where clients keep their logins; undefined where that is unknown, or not to be read. */
  readonly clientFolders: ClientFolders | undefined
  /** What stands before the upstreams. */
  readonly proxies: Proxies
}

/** Every mistake in the configuration at once, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly string[]
  constructor (mistakes: readonly string[]) {
    super(`${mistakes.length === 1 ? 'One mistake' : `${mistakes.length} mistakes`} in the configuration:\n${mistakes.map(m => `  ${m}`).join('\n')}`)
    this.mistakes = mistakes
  }
}

/** Where the values come from. */
export interface ConfigSources {
  /** Flags by name without dashes; undefined where one was given without its value. */
  flags?: Readonly<Record<string, string | undefined>>
  env?: Readonly<Record<string, string | undefined>>
  /** Finds a package or throws; Node's way unless told. */
  find?: (name: string) => string
}

/** What the option traces needs; whoever sets it installs them. */
const tracePackages = ['api', 'core', 'resources', 'sdk-trace', 'exporter-trace-otlp-http'].map(name => `@opentelemetry/${name}`)

interface Declared { type?: string, format?: string, flag?: string, env?: string, unit?: string, enum?: readonly string[], minimum?: number, maximum?: number, properties?: Record<string, Declared> }
const declared = Object.entries<Declared>(optionsSchema.properties).flatMap(([name, { properties = {}, ...option }]) =>
  [[name, option] as const, ...Object.entries(properties).map(([inner, option]) => [`${name}.${inner}`, option] as const)])

/** Flags of the configuration, for the command line's help and parser. */
export const configFlags: readonly string[] = ['config', ...declared.flatMap(([, { flag }]) => flag ?? [])]

/** What each format allows, in words. */
const formatWords: Readonly<Record<keyof typeof formats, string>> = {
  'key-set': 'an http or https URL without user, or a file',
  field: 'the name of a header field that reaches the upstream',
  mark: 'the name of a header field that reaches the upstream, and after a colon how its value begins',
  proxy: `none, or ${proxyWords}`,
  upstream: 'an http or https URL without user, query or fragment'
}

/** What an option allows, in words. */
function allowed ({ keyword, parentSchema }: ErrorObject): string {
  const { type, format, minimum, maximum, unit, enum: values } = parentSchema as Declared
  if (keyword === 'format') return formatWords[format as keyof typeof formats]
  if (type === 'boolean') return 'true or false'
  if (values !== undefined) return `one of ${values.join(', ')}`
  if (type === 'integer') return `a whole number ${maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`}${unit === undefined ? '' : ` (${unit})`}`
  return keyword === 'pattern' ? 'a path that starts with /' : type === 'string' ? 'a text that is not empty' : `an ${type} that is not empty`
}

/** A value as it was given, but for secrets. */
const given = (value: unknown): string => JSON.stringify(value, (_key, inner: unknown) => typeof inner === 'string' ? masked(inner) : inner)

/** Stands for the option's name in a label that says where a value came from. */
const NAME = '\0'

function describe (error: ErrorObject, origins: ReadonlyMap<string, string>): string {
  const path = error.instancePath.slice(1).split('/')
  const extra = error.keyword === 'additionalProperties' ? [String(error.params['additionalProperty'])] : []
  const name = [...path, ...extra].filter(part => part !== '').join('.')
  const [top = ''] = name.split('.')
  const label = String(origins.get(name) ?? origins.get(top)).replace(NAME, name)
  const { keyword, data } = error
  if (keyword === 'additionalProperties') return `${label}: no such option`
  if (keyword === 'required') return `${label}: ${String(error.params['missingProperty'])} is required`
  return `${label}: is ${given(data)}, allowed: ${allowed(error)}`
}

/** Sets an option, also one of a group. A group that is none stays as it is, to be reported. */
function put (options: Record<string, unknown>, name: string, value: unknown): void {
  const [top = '', inner] = name.split('.')
  const { [top]: group = {} } = options
  if (inner === undefined) options[top] = value
  else if (typeof group === 'object') options[top] = { ...group, [inner]: value }
}

/** Whether a package can be loaded. */
function isThere (name: string, find: (name: string) => string): boolean {
  try { return find(name) !== '' } catch { return false }
}

/** What Kubernetes puts into CODEX_SIDECAR_PORT of every pod beside a Service named codex-sidecar: an address, no port of ours. */
const serviceLink = /^(?:tcp|udp|sctp):\/\//

/** A string from a flag or the environment as the option's type; what does not fit stays, to be reported. */
const typed = (text: string, type: string | undefined): unknown =>
  type === 'integer' && /^\d{1,15}$/.test(text) ? Number(text) : type === 'boolean' && /^(?:true|false)$/.test(text) ? text === 'true' : text

/**
 * The only reader of flags, environment and file, in this order of precedence.
 * @throws ConfigError with every mistake
 */
export function loadConfig ({ flags = {}, env = {}, find = createRequire(import.meta.url).resolve }: ConfigSources = {}): Config {
  const mistakes: string[] = []
  const origins = new Map<string, string>()
  const text = (value: string | undefined): string | undefined => value === '' ? undefined : value
  for (const flag of Object.keys(flags)) if (!configFlags.includes(flag)) mistakes.push(`--${flag}: no such flag`)

  const file = flags['config'] ?? text(env['CODEX_SIDECAR_CONFIG'])
  const options = file === undefined ? {} : readOptions(file, mistakes)
  for (const name of Object.keys(options)) origins.set(name, `${file}: ${NAME}`)
  for (const [name, { type, flag, env: variable }] of declared) {
    const byEnv = variable === undefined ? undefined : text(env[variable])
    if (byEnv !== undefined && !(name === 'port' && serviceLink.test(byEnv))) { put(options, name, typed(byEnv, type)); origins.set(name, String(variable)) }
    if (flag === undefined || !(flag in flags)) continue
    const byFlag = flags[flag]
    if (byFlag === undefined) mistakes.push(`--${flag}: needs a value`)
    else { put(options, name, typed(byFlag, type)); origins.set(name, `--${flag}`) }
  }
  if (!validate(options)) {
    throw new ConfigError([...mistakes, ...(validate.errors as ErrorObject[]).map(error => describe(error, origins))])
  }
  const routes = settleRoutes(options, mistakes)
  const ca = readTrust(options, env, mistakes)
  const identities = readIdentities(routes, mistakes)
  const missing = options.traces === undefined ? [] : tracePackages.filter(name => !isThere(name, find))
  if (missing.length > 0) mistakes.push(`traces: needs packages that are not installed beside codex-sidecar: ${missing.join(' ')}`)
  const keySets = readKeySets(routes, mistakes)
  const proxies = settleProxies(env, { routes, own: (options.routes ?? []).map(({ proxy }) => proxy) }, mistakes)
  if (mistakes.length > 0) throw new ConfigError(mistakes)
  return { ...options, routes, ca, identities, keySets, proxies, clientFolders: options.clientLogins === 'off' ? undefined : clientFolders(env) }
}
