import { join } from 'node:path'
import json5 from 'json5'
import { baseUrls } from '../../status/setup-lines.ts'
import { readClientFile } from '../doctor/clients/client-file.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { subject } from '../doctor/finding.ts'
import { filled, homeOf } from '../../config/home.ts'
import { leadOf, type Env, type Plan, type Wanted } from './plan.ts'

/** Its providers that we have a route for, each with that route's prefix. */
const providers = { openai: '/v1', anthropic: '/v1/messages' }

const parsed = (text: string | undefined): Table => {
  try {
    return tableOf(json5.parse(text ?? ''))
  } catch {
    return {}
  }
}

/** Its configuration files, the later ones win. */
const contents = (name: string, env: Env, folder: string): Table[] => [join(filled(env['XDG_CONFIG_HOME']) ?? join(homeOf(env), '.config'), name), folder].flatMap(place =>
  [`${name}.json`, `${name}.jsonc`].map(file => readClientFile(join(place, file), subject('', ''), json5.parse).content ?? {}))

const urlIn = (content: Table, id: string): string | undefined =>
  textOf(tableOf(tableOf(tableOf(content['provider'])[id])['options'])['baseURL'])

/**
 * opencode, and kilo that descends from it, take a configuration from a variable, which goes before their files. A provider
 * that has another base URL there keeps it.
 * @param name of the program and its files; its variable is the same in capitals
 */
export const planOpencode = (name: string) => ({ env, config }: Wanted, folder: string = process.cwd()): Plan => {
  const variable = `${name.toUpperCase()}_CONFIG_CONTENT`
  const own = parsed(env[variable])
  const all = [...contents(name, env, folder), own]
  const prefixes = new Set(config.routes.map(({ prefix }) => prefix))
  const ids = Object.entries(providers).filter(([, needs]) => prefixes.has(needs)).map(([id]) => id)
  const isUsual = (id: string): boolean => leadOf(all.map(content => urlIn(content, id)).findLast(url => url !== undefined), config).kind === 'usual'
  return {
    upstreams: {},
    notes: ids.filter(id => !isUsual(id)).map(id => `${name}'s provider ${id} goes past codex-sidecar: it has a base URL of its own`),
    point: origin => {
      const { v1: baseURL } = baseUrls(origin)
      const provider = tableOf(own['provider'])
      const pointed = ids.filter(isUsual).map(id => [id, { ...tableOf(provider[id]), options: { ...tableOf(tableOf(provider[id])['options']), baseURL } }])
      return { env: { [variable]: JSON.stringify({ ...own, provider: { ...provider, ...Object.fromEntries(pointed) as object } }) } }
    }
  }
}
