import { baseUrls } from '../../status/setup-lines.ts'
import { filled } from '../../config/home.ts'
import { leadOf, type Env, type Plan, type Wanted } from './plan.ts'

/** Names under which SDKs look for OpenAI's base URL, the one that most read first. */
const OPENAI = ['OPENAI_BASE_URL', 'OPENAI_API_BASE']
const ANTHROPIC = ['ANTHROPIC_BASE_URL']

const first = (env: Env, names: readonly string[]): string | undefined => names.map(name => filled(env[name])).find(value => value !== undefined)

/** The same value under each of the names. */
const under = (names: readonly string[], value: string): Env => Object.fromEntries(names.map(name => [name, value]))

/**
 * The SDKs' variables, for any program. One that is set to an upstream of its own goes there behind us. With a last `/v1`
 * or without: some add it, some do not (field.md H9).
 */
export function planEnvironment ({ env, config }: Wanted): Plan {
  const [openai, anthropic] = [leadOf(first(env, OPENAI), config), leadOf(first(env, ANTHROPIC), config)]
  const prefixes = new Set(config.routes.map(({ prefix }) => prefix))
  const unusable = (names: readonly string[]): string => `${names.find(name => filled(env[name]) !== undefined) as string} can not be an upstream of codex-sidecar, so it stays as it is`
  return {
    upstreams: {
      ...openai.kind === 'own' ? { CODEX_SIDECAR_OPENAI_UPSTREAM: openai.url } : {},
      ...anthropic.kind === 'own' ? { CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${anthropic.url.replace(/\/v1$/, '')}/v1` } : {}
    },
    notes: [...openai.kind === 'unusable' ? [unusable(OPENAI)] : [], ...anthropic.kind === 'unusable' ? [unusable(ANTHROPIC)] : []],
    point: origin => {
      const { v1, root } = baseUrls(origin)
      return {
        env: {
          ...openai.kind === 'unusable' || !prefixes.has('/v1') ? {} : under(OPENAI, v1),
          ...anthropic.kind === 'unusable' || !prefixes.has('/v1/messages') ? {} : under(ANTHROPIC, root)
        }
      }
    }
  }
}

/** Names of the variables that send clients to a proxy of their own. */
const proxies = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']

/** Where clients go by a proxy, they must not ask it for us. */
export function pastProxies (env: Env): Env {
  if (!proxies.some(name => filled(env[name]) !== undefined)) return {}
  const set = filled(env['no_proxy']) ?? filled(env['NO_PROXY'])
  const value = set === '*' ? set : [...set === undefined ? [] : [set], 'localhost', '127.0.0.1', '[::1]'].join(',')
  return { no_proxy: value, NO_PROXY: value }
}
