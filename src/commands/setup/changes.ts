import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config/config.ts'
import { baseUrls, type LocalService } from '../../status/setup-lines.ts'
import { textOf, type Table } from '../../wire/json.ts'
import { codexFolder, filled, homeOf } from '../../config/home.ts'
import { API_KEY, codexLogin } from '../doctor/logins/codex.ts'
import { ownOrigin } from '../own-address.ts'
import { loginPath } from '../run/codex.ts'
import type { Path } from './edit/json.ts'
import { json, toml, type Format } from './edit/format.ts'
import { clineTarget, continueTarget } from './editors.ts'
import { openclawTarget } from './openclaw.ts'

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
  cline: clineTarget,
  continue: continueTarget,
  'qwen-code': (env, config) => fixed(join(filled(env['QWEN_HOME']) ?? join(homeOf(env), '.qwen'), 'settings.json'), { path: ['security', 'auth', 'baseUrl'], value: baseUrls(ownOrigin(config)).v1 })
}
