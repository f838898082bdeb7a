import { join } from 'node:path'
import json5 from 'json5'
import type { Config } from '../../../config/config.ts'
import { subject, type Finding } from '../finding.ts'
import { filled, homeOf, shown } from '../../../config/home.ts'
import { judgeBaseUrl, pointsHere, type Expectation } from './base-url.ts'
import { readClientFile } from './client-file.ts'
import { tableOf, textOf, type Table } from '../../../wire/json.ts'

type Env = Readonly<Record<string, string | undefined>>

/** A client that keeps its base URLs in a file. */
interface Editor {
  readonly name: string
  /** Its folder in the home folder, and the variable that names another one. */
  readonly folder: string
  readonly variable: string
  /** Its files in there: the first one there is. */
  readonly files: readonly string[]
  readonly parse: (text: string) => unknown
  /** The base URLs in what they hold, each with its place. */
  readonly urls: (content: Table) => readonly (readonly [place: string, url: unknown])[]
  /** The line that sets one right. */
  readonly mend: (url: string) => string
}

/** opencode and kilo, Cline: whatever the company, they add only the leaf to the base URL. */
const WITH_V1: Pick<Expectation, 'paths' | 'adds'> = { paths: ['/v1'] }
const ROOT: Pick<Expectation, 'paths' | 'adds'> = { paths: [''], adds: '/v1/messages' }

const quoted = (name: string) => (url: string): string => `"${name}": "${url}"`

/** The base URLs of providers, which lie in a table of each one. */
const ofProviders = (providers: unknown, table: string, key: string): (readonly [string, unknown])[] =>
  Object.entries(tableOf(providers)).map(([name, provider]) => [`${name}.${table}.${key}`, tableOf(tableOf(provider)[table])[key]])

const family = (name: string): Editor => ({
  name, folder: `.config/${name}`, variable: 'XDG_CONFIG_HOME', files: [`${name}.json`, `${name}.jsonc`], parse: json5.parse,
  urls: content => ofProviders(content['provider'], 'options', 'baseURL').map(([place, url]) => [`provider.${place}`, url]),
  mend: quoted('baseURL')
})

const editors: readonly (readonly [editor: Editor, expected: Pick<Expectation, 'paths' | 'adds'>])[] = [
  [{
    name: 'claude-code', folder: '.claude', variable: 'CLAUDE_CONFIG_DIR', files: ['settings.json'], parse: json5.parse,
    urls: content => [['env.ANTHROPIC_BASE_URL', tableOf(content['env'])['ANTHROPIC_BASE_URL']]], mend: quoted('ANTHROPIC_BASE_URL')
  }, ROOT],
  [family('opencode'), WITH_V1],
  [family('kilo'), WITH_V1],
  [{
    name: 'cline', folder: '.cline', variable: 'CLINE_DIR', files: ['data/settings/providers.json'], parse: json5.parse,
    urls: content => ofProviders(content['providers'], 'settings', 'baseUrl').map(([place, url]) => [`providers.${place}`, url]), mend: quoted('baseUrl')
  }, WITH_V1],
  [{
    name: 'qwen-code', folder: '.qwen', variable: 'QWEN_HOME', files: ['settings.json'], parse: json5.parse,
    urls: content => [['security.auth.baseUrl', tableOf(tableOf(content['security'])['auth'])['baseUrl']]], mend: quoted('baseUrl')
  }, WITH_V1],
  [{
    name: 'continue', folder: '.continue', variable: 'CONTINUE_GLOBAL_DIR', files: ['config.yaml'],
    parse: text => ({ urls: [...text.matchAll(/^[\t -]*apiBase: *["']?([^"'\s#]+)/gm)].map(([, url]) => url) }), // one key of a YAML file needs no parser of all YAML
    urls: content => (content['urls'] as string[]).map(url => ['apiBase', url]), mend: url => `apiBase: ${url}/`
  }, WITH_V1]
]

/** Where a client's folder is; that of XDG_CONFIG_HOME holds those of many. */
function folderOf ({ folder, variable, name }: Editor, env: Env): string {
  const own = filled(env[variable])
  if (own === undefined) return join(homeOf(env), folder)
  return variable === 'XDG_CONFIG_HOME' ? join(own, name) : own
}

/** Looks at those base URLs of editors and terminals that lead here: whether their paths are those that the client needs. */
export const editorFindings = (env: Env, config: Config): Finding[] => editors.flatMap(([editor, expected]) => {
  for (const name of editor.files) {
    const path = join(folderOf(editor, env), name)
    const { content, fault } = readClientFile(path, subject(`${editor.name}.config`, shown(path, env)), editor.parse)
    if (fault !== undefined) return [fault]
    if (content === undefined) continue
    return editor.urls(content).flatMap(([place, value]) => {
      const url = textOf(value) ?? ''
      if (!pointsHere(url, config)) return []
      return [judgeBaseUrl(subject(`${editor.name}.base_url`, `${shown(path, env)} ${place}`), url, { ...expected, mend: editor.mend, elsewhere: 'note' }, config)]
    })
  }
  return []
})
