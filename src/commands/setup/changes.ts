import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../../config/config.ts'
import { baseUrls, type LocalService } from '../../status/setup-lines.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { codexFolder, filled, homeOf, openclawFiles } from '../../config/home.ts'
import { API_KEY, codexLogin } from '../doctor/logins/codex.ts'
import { ownOrigin } from '../own-address.ts'
import { pointsHere } from '../doctor/clients/base-url.ts'
import { commandSqlite, ownSqlite } from '../../logins/sqlite.ts'
import { catalogsOf, forgetInDatabases, forgetInFiles } from '../run/openclaw/catalogs.ts'
import { loginPath } from '../run/codex.ts'
import { withIncludes } from '../run/openclaw/includes.ts'
import { leadOf } from '../run/plan.ts'
import type { Path } from './edit/json.ts'
import { json, toml, type Format } from './edit/format.ts'

type Env = Readonly<Record<string, string | undefined>>

/** One value of a client's configuration. */
export interface Change { readonly path: Path, readonly value: unknown }

/** What is written for a client, and where. */
export interface Target {
  readonly file: string
  readonly format: Format
  /** What to set; all that could be ours where it is not known what there is. */
  readonly changes: (content: Table) => readonly Change[]
  /** What could have been set at another time. */
  readonly possible: (content: Table) => readonly Change[]
  /** What goes past us and is left so, for a person. */
  readonly left?: (content: Table) => readonly string[]
  /** Takes our address out of what the client has made of its configuration. @throws where that cannot be done */
  readonly forget?: () => void
}

/** How a client that starts programs is to start us, and whether it is to. */
export interface Started { readonly service: LocalService | undefined, readonly wanted: boolean }

/** Values of strings at paths that do not depend on what there is. */
function fixed (file: string, ...changes: readonly Change[]): Target {
  return { file, format: json, changes: () => changes, possible: () => changes }
}

/** For good a login in a file counts more than a key that only this shell may have; without one the key is what there is. */
function lastingPath (env: Env, settings: Table): string {
  const { present, paths } = codexLogin(env, settings)
  return present ? String(paths[0]) : loginPath(env, settings)
}

const providerOf = (settings: Table): string => textOf(settings['model_provider']) ?? 'openai'

function codexTarget (env: Env, config: Config): Target {
  const { codex, v1 } = baseUrls(ownOrigin(config))
  const change = (value: string): Change => ({ path: ['openai_base_url'], value })
  return {
    file: join(codexFolder(env), 'config.toml'),
    format: toml,
    changes: settings => providerOf(settings) === 'openai' ? [change(lastingPath(env, settings) === API_KEY ? v1 : codex)] : [],
    possible: () => [change(codex)],
    left: settings => providerOf(settings) === 'openai' ? [] : [`model_provider is ${JSON.stringify(providerOf(settings))}; codex-sidecar setup codex prints what its base_url can be`]
  }
}

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

/** The file with comments in its name goes before the other. */
const family = (name: string) => (env: Env, config: Config): Target => {
  const { v1: value } = baseUrls(ownOrigin(config))
  const file = join(filled(env['XDG_CONFIG_HOME']) ?? join(homeOf(env), '.config'), name, `${name}.json`)
  return fixed(existsSync(`${file}c`) ? `${file}c` : file,
    ...['openai', 'anthropic'].map(id => ({ path: ['provider', id, 'options', 'baseURL'], value })))
}

/** Clients whose configuration is written; for the others there are only lines to print. */
export const targets: Readonly<Record<string, (env: Env, config: Config, started: Started) => Target>> = {
  codex: codexTarget,
  openclaw: openclawTarget,
  'claude-code': (env, config) => fixed(join(filled(env['CLAUDE_CONFIG_DIR']) ?? join(homeOf(env), '.claude'), 'settings.json'), { path: ['env', 'ANTHROPIC_BASE_URL'], value: baseUrls(ownOrigin(config)).root }),
  opencode: family('opencode'),
  kilo: family('kilo'),
  'qwen-code': (env, config) => fixed(join(filled(env['QWEN_HOME']) ?? join(homeOf(env), '.qwen'), 'settings.json'), { path: ['security', 'auth', 'baseUrl'], value: baseUrls(ownOrigin(config)).v1 })
}
