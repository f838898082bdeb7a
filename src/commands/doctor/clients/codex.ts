import { join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import type { Config } from '../../../config/config.ts'
import { ownOrigin } from '../../own-address.ts'
import { subject, type Finding } from '../finding.ts'
import type { OnLogin } from '../running.ts'
import { codexFolder, shown } from '../../../config/home.ts'
import { API_KEY, CHATGPT, codexLogin } from '../logins/codex.ts'
import { judgeBaseUrl, pointsHere } from './base-url.ts'
import { readClientFile } from './client-file.ts'
import { tableOf, textOf, type Table } from '../../../wire/json.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Tables that hold the key although it means something only at the top: TOML adds a late line to the last table. */
function misplaced (table: Table, key: string, name = ''): string[] {
  return Object.entries(table).flatMap(([child, value]) => {
    const path = name === '' ? child : `${name}.${child}`
    const inner = tableOf(value)
    return [...key in inner ? [path] : [], ...misplaced(inner, key, path)]
  })
}

/** The base URL of each provider that is chosen or leads here. */
function providers (settings: Table, file: string, paths: readonly string[], config: Config): Finding[] {
  const chosen = textOf(settings['model_provider']) ?? 'openai'
  const own = Object.entries(tableOf(settings['model_providers'])).flatMap(([name, entry]) => {
    const url = textOf(tableOf(entry)['base_url']) ?? ''
    if (name !== chosen && !pointsHere(url, config)) return []
    const look = subject('codex.base_url', `${file} [model_providers.${name}] base_url`)
    return [judgeBaseUrl(look, url, { paths: [API_KEY, CHATGPT], mend: to => `base_url = "${to}"`, elsewhere: 'warning' }, config)]
  })
  if (own.length > 0 && chosen !== 'openai') return own
  const look = subject('codex.base_url', `${file} openai_base_url`)
  const line = (to: string): string => `openai_base_url = "${to}"`
  if (chosen !== 'openai') return [look.note(`is not used: model_provider is "${chosen}", so Codex goes past codex-sidecar`, 'codex-sidecar setup codex')]
  const url = textOf(settings['openai_base_url'])
  const [best = API_KEY] = paths
  if (url === undefined) return [...own, look.warning('is not set, so Codex goes past codex-sidecar', line(`${ownOrigin(config)}${best}`))]
  return [...own, judgeBaseUrl(look, url, { paths, mend: line, elsewhere: 'warning' }, config)]
}

/** `chatgpt_base_url` that leads here: Codex would look for its workspace here, and bypass us or fail the turn. */
function chatgptBaseUrl (settings: Table, file: string, config: Config): Finding[] {
  const places: [string, Table][] = [['', settings], ...Object.entries(tableOf(settings['profiles'])).map(([name, profile]): [string, Table] => [`[profiles.${name}] `, tableOf(profile)])]
  return places.filter(([, table]) => pointsHere(textOf(table['chatgpt_base_url']) ?? '', config)).map(([place]) =>
    subject('codex.chatgpt_base_url', `${file} ${place}chatgpt_base_url`).problem('points here, which makes Codex go past codex-sidecar or fail the turn', 'remove this line; openai_base_url is the one to set'))
}

/** Looks at the Codex CLI's configuration and login. */
export function codexFindings (env: Env, config: Config, found: OnLogin): Finding[] {
  const path = join(codexFolder(env), 'config.toml')
  const file = shown(path, env)
  const { content, fault } = readClientFile(path, subject('codex.config', file), parseToml)
  const settings = content ?? {}
  const { findings, paths, present } = codexLogin(env, settings, found)
  if (fault !== undefined) return [fault, ...findings]
  const lost = misplaced(settings, 'openai_base_url').map(table =>
    subject('codex.base_url', `${file} openai_base_url`).problem(`stands in the table [${table}], where Codex does not read it`, 'move the line above the first [table]'))
  if (content === undefined && !present) {
    return [subject('codex.config', file).note('is not there: Codex is not set up for this user', 'codex-sidecar setup codex')]
  }
  return [...lost.length > 0 ? lost : providers(settings, file, paths, config), ...chatgptBaseUrl(settings, file, config), ...findings]
}
