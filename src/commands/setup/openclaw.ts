import { dirname } from 'node:path'
import type { Config } from '../../config/config.ts'
import { filled, openclawFiles } from '../../config/home.ts'
import { commandSqlite, ownSqlite } from '../../logins/sqlite.ts'
import { baseUrls } from '../../status/setup-lines.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { pointsHere } from '../doctor/clients/base-url.ts'
import { ownOrigin } from '../own-address.ts'
import { catalogsOf, forgetInDatabases, forgetInFiles } from '../run/openclaw/catalogs.ts'
import { withIncludes } from '../run/openclaw/includes.ts'
import { leadOf } from '../run/plan.ts'
import type { Change, Started, Target } from './changes.ts'
import { json } from './edit/format.ts'
import type { Path } from './edit/json.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Up to 2026.4 the Codex route is a provider of its own, later the one of OpenAI (contract.md section 1). */
const isOld = (content: Table): boolean => /^2026\.[1-4]\./.test(textOf(tableOf(content['meta'])['lastTouchedVersion']) ?? '') || 'openai-codex' in tableOf(tableOf(content['models'])['providers'])

/** Whether OpenAI is reached by API keys alone, those of profiles or that of a variable: the ChatGPT route takes none. */
function hasKeysOnly (content: Table, env: Env): boolean {
  const profiles = Object.values(tableOf(tableOf(content['auth'])['profiles'])).map(tableOf).filter(({ provider }) => /^openai\b/.test(String(provider)))
  const own = profiles.filter(({ provider }) => provider === 'openai')
  return own.length > 0 ? own.every(({ mode }) => mode === 'api_key') : profiles.length === 0 && filled(env['OPENAI_API_KEY']) !== undefined
}

/** The base URL for OpenClaw's API by that name; undefined for one that has no route here. */
function urlForApi (api: unknown, { codex, backendApi, v1, root }: ReturnType<typeof baseUrls>): string | undefined {
  return new Map([['openai-codex-responses', backendApi], ['openai-chatgpt-responses', codex], ['openai-responses', v1], ['openai-completions', v1], ['anthropic-messages', root]]).get(String(api))
}

/** OpenClaw's configuration, of either generation. */
export function openclawTarget (env: Env, config: Config, { service: localService, wanted }: Started): Target {
  const urls = baseUrls(ownOrigin(config))
  const { state, config: file } = openclawFiles(env)
  const at = (...keys: string[]): Path => ['models', 'providers', ...keys]
  const request = { allowPrivateNetwork: true }
  const old: Change = { path: at('openai-codex'), value: { baseUrl: urls.backendApi, api: 'openai-codex-responses', models: [] } }
  const loginBy = (started: object): Change => ({ path: at('openai'), value: { baseUrl: urls.codex, api: 'openai-chatgpt-responses', request, ...started } })
  const keysBy = (started: object): Change => ({ path: at('openai'), value: { baseUrl: urls.v1, api: 'openai-responses', models: [], request, ...started } })
  const started = wanted && localService !== undefined ? { localService } : {}
  const reach: Change = { path: at('openai', 'request', 'allowPrivateNetwork'), value: true }
  /** Providers that are there keep all but their base URL, and how they are started; what has no API of its own gets ours. */
  const known = (content: Table, fitting: Change, started: object): Change[] => Object.entries(tableOf(tableOf(content['models'])['providers'])).flatMap(([name, provider]) => {
    const { api, baseUrl, request } = tableOf(provider)
    const usual = new Map<string, object>([['openai', tableOf((isOld(content) ? keysBy({}) : fitting).value)], ['openai-codex', tableOf(old.value)], ['anthropic', { baseUrl: urls.root }]]).get(name)
    const { request: _, ...all } = tableOf(usual)
    const url = api === undefined ? all['baseUrl'] : urlForApi(api, urls)
    if (usual === undefined || url === undefined) return []
    const isOwn = leadOf(textOf(baseUrl), config).kind !== 'usual'
    const rest = isOwn ? {} : { ...api === undefined ? all : {}, ...name === 'openai-codex' ? {} : started }
    return [
      ...Object.entries({ ...rest, baseUrl: url }).map(([key, value]) => ({ path: at(name, key), value })),
      ...name === 'openai' && !isOwn && !isOld(content) && tableOf(request)['allowPrivateNetwork'] === undefined ? [reach] : []
    ]
  })
  return {
    file,
    format: json,
    forget: () => {
      const catalogs = catalogsOf(state)
      forgetInFiles(catalogs, ['openai', 'openai-codex', 'anthropic'], url => pointsHere(url, config))
      forgetInDatabases(catalogs, urls.root, () => ownSqlite() ?? commandSqlite(env))
    },
    changes: content => {
      const fitting = isOld(content) ? old : hasKeysOnly(withIncludes(content, dirname(file)), env) ? keysBy(started) : loginBy(started)
      const present = known(content, fitting, started)
      return present.some(({ path }) => path[2] === fitting.path[2]) ? present : [fitting, ...present]
    },
    possible: content => [...localService === undefined ? [] : [{ localService }], {}].flatMap(started => [old, loginBy(started), keysBy(started), ...known(content, loginBy({}), started)])
  }
}
