import json5 from 'json5'
import type { Config } from '../../../config/config.ts'
import { subject, type Finding } from '../finding.ts'
import { openclawFiles, shown } from '../../../config/home.ts'
import { judgeBaseUrl, pointsHere } from './base-url.ts'
import { readClientFile } from './client-file.ts'
import { tableOf, textOf, type Table } from '../../../wire/json.ts'

type Env = Readonly<Record<string, string | undefined>>

/** OpenClaw completes all three by itself. */
const CODEX = ['/backend-api/codex', '/backend-api', '/backend-api/codex/responses']
const V1 = ['/v1']

const pathsOfApi = new Map(Object.entries({
  'openai-codex-responses': CODEX,
  'openai-chatgpt-responses': CODEX,
  'openai-responses': V1,
  'openai-completions': V1,
  'anthropic-messages': ['']
}))

/** For providers whose entry names no api. */
const pathsOfProvider = new Map(Object.entries({ 'openai-codex': CODEX, openai: [...CODEX, ...V1], anthropic: [''] }))

/** `${NAME}` as OpenClaw replaces it. */
const expandVariables = (text: string, env: Env): string =>
  text.replace(/\$\{([A-Z_][A-Z0-9_]*)\}/g, (whole, name: string) => env[name] ?? whole)

/** APIs with which OpenClaw 2026.9 fetches images and sound, too: from loopback and private networks only where it is told that it may. */
const fetching = new Set(['openai-chatgpt-responses', 'openai-responses'])

/** Whether config/openclaw-plugin is installed: it puts a codex-sidecar of its own before the models that are named by it. */
function hasPlugin (content: Table): boolean {
  const entry = tableOf(tableOf(content['plugins'])['entries'])['codex-sidecar']
  return entry !== undefined && tableOf(entry)['enabled'] !== false
}

/** Names of the providers of one's own that lead here: a helper's, with a login of its own. */
export function ownProviders (env: Env, config: Config): string[] {
  const { content } = readClientFile(openclawFiles(env).config, subject('openclaw.config', ''), json5.parse)
  return Object.entries(tableOf(tableOf(content?.['models'])['providers']))
    .flatMap(([name, entry]) => pointsHere(expandVariables(textOf(tableOf(entry)['baseUrl']) ?? '', env), config) ? [name] : [])
}

/** Looks at the base URLs of OpenClaw's providers, in the form of 2026.4 and of 2026.9. */
export function openclawFindings (env: Env, config: Config): Finding[] {
  const { config: path } = openclawFiles(env)
  const file = shown(path, env)
  const look = subject('openclaw.config', file)
  const { content, fault } = readClientFile(path, look, json5.parse)
  if (fault !== undefined) return [fault]
  if (content === undefined) return [look.note('is not there: OpenClaw is not set up for this user', 'codex-sidecar setup openclaw')]
  const models = tableOf(content['models'])
  const entries = Object.entries(tableOf(models['providers'])).flatMap(([name, entry]) => {
    const { baseUrl, api, request } = tableOf(entry)
    const url = expandVariables(textOf(baseUrl) ?? '', env)
    const paths = pathsOfApi.get(String(api)) ?? pathsOfProvider.get(name) ?? [...V1, ...CODEX, '']
    return url !== '' && (pathsOfProvider.has(name) || pointsHere(url, config)) ? [{ name, url, paths, fetches: name !== 'openai' || !fetching.has(String(api)) || tableOf(request)['allowPrivateNetwork'] === true }] : []
  })
  const plugin = hasPlugin(content)
  const elsewhere = entries.some(({ url }) => pointsHere(url, config)) ? 'note' : 'warning'
  const included = [content, models, tableOf(models['providers'])].some(table => '$include' in table)
  return [
    ...included ? [look.note('has $include, which is not followed here')] : [],
    ...plugin ? [subject('openclaw.plugin', `${file} plugins.entries["codex-sidecar"]`).ok('OpenClaw starts a codex-sidecar of its own for the models codex-sidecar/…')] : [],
    ...entries.length > 0 || plugin ? [] : [look.warning('sets no base URL for openai, openai-codex or anthropic, so OpenClaw goes past codex-sidecar', 'codex-sidecar setup openclaw')],
    ...entries.map(({ name, url, paths }) => judgeBaseUrl(
      subject('openclaw.base_url', `${file} models.providers["${name}"].baseUrl`), url,
      { paths, ...paths.includes('') ? { adds: '/v1/messages' } : {}, mend: to => `"baseUrl": "${to}"`, elsewhere }, config)),
    ...entries.filter(({ url, fetches }) => !fetches && pointsHere(url, config)).map(({ name }) =>
      subject('openclaw.request', `${file} models.providers["${name}"].request`).note('OpenClaw 2026.9 fetches no images and no sound through here', '"request": { "allowPrivateNetwork": true }'))
  ]
}
