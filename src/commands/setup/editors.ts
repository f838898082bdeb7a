import { join, resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { filled, homeOf } from '../../config/home.ts'
import { baseUrls } from '../../status/setup-lines.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { pointsHere } from '../doctor/clients/base-url.ts'
import { ownOrigin } from '../own-address.ts'
import type { Change, Target } from './changes.ts'
import { json } from './edit/format.ts'
import { namesIn } from './edit/values.ts'
import { yaml } from './edit/yaml.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Where Cline keeps its providers: by its own variables, or in its folder. */
function clineFile (env: Env): string {
  const data = filled(env['CLINE_DATA_DIR']) ?? join(filled(env['CLINE_DIR']) ?? join(homeOf(env), '.cline'), 'data')
  return filled(env['CLINE_PROVIDER_SETTINGS_PATH']) ?? join(data, 'settings', 'providers.json')
}

/** Cline's providers that have a route here; `cline auth -p openai` makes the one for chat, by a name of its own. */
const clineProviders = ['openai-native', 'openai-compatible', 'openai', 'anthropic']

/** Cline's configuration: the providers that its user has made, which hold their keys. */
export function clineTarget (env: Env, config: Config): Target {
  const { v1 } = baseUrls(ownOrigin(config))
  const changes = (content: Table): Change[] => clineProviders
    .filter(id => 'settings' in tableOf(tableOf(content['providers'])[id]))
    .map(id => ({ path: ['providers', id, 'settings', 'baseUrl'], value: v1 }))
  return {
    file: clineFile(env),
    format: json,
    changes,
    possible: changes,
    left: content => changes(content).length > 0 ? [] : [`it has no provider of OpenAI’s or Anthropic’s yet; cline auth -p openai-native -k "$OPENAI_API_KEY" -m MODEL makes one (openai for chat, anthropic for Anthropic)`]
  }
}

/** A model of Continue's, and where its base URL is. */
interface Model { readonly entry: Table, readonly path: readonly string[] }

/** Continue's models. */
function modelsIn ({ models }: Table): Model[] {
  const list: readonly unknown[] = Array.isArray(models) ? models : []
  const names = namesIn(list)
  return list.map((entry, i) => ({ entry: tableOf(entry), path: ['models', names[i] as string, 'apiBase'] }))
}

const hasRoute = ({ entry: { provider } }: Model): boolean => provider === 'openai' || provider === 'anthropic'

/** Continue's configuration: each model that it asks of OpenAI or Anthropic. */
export function continueTarget (env: Env, config: Config): Target {
  const value = `${baseUrls(ownOrigin(config)).v1}/`
  const toChange = ({ path }: Model): Change => ({ path, value })
  return {
    file: join(resolve(filled(env['CONTINUE_GLOBAL_DIR']) ?? join(homeOf(env), '.continue')), 'config.yaml'),
    format: yaml,
    // The last one first: what an earlier one hands on to it by its anchor (`<<`) stays as it was.
    changes: content => modelsIn(content).filter(hasRoute).map(toChange).reverse(),
    possible: content => modelsIn(content).filter(model => hasRoute(model) || pointsHere(textOf(model.entry['apiBase']) ?? '', config)).map(toChange),
    left: content => {
      const models = modelsIn(content)
      const used = models.map(({ entry: { uses, override } }) => tableOf(override)['apiBase'] === undefined ? textOf(uses) : undefined)
        .filter(uses => uses !== undefined && /^(?:openai|anthropic)\//.test(uses))
        .map(uses => `uses: ${uses} is a model from elsewhere; its override can have apiBase: ${value}`)
      return used.length > 0 || models.some(hasRoute) ? used : ['models has none with the provider openai or anthropic']
    }
  }
}
