import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { openclawFiles } from '../../config/home.ts'
import type { Change, Target } from './changes.ts'
import { EditError } from './edit/error.ts'
import { json } from './edit/format.ts'

const ID = 'codex-sidecar'

/** The models that go through the plugin: those of OpenAI, by the plugin's name. */
const modelOf = (reference: unknown): string | undefined => /^(?:openai|codex-sidecar)\/(.+)$/.exec(textOf(reference) ?? '')?.[1]

/** A list with one more in it. */
const including = (list: unknown, one: string): readonly unknown[] => !Array.isArray(list) ? [one] : list.includes(one) ? list : [...list as unknown[], one]

/** The model that agents take, by either of its two forms, and where models have to be allowed, its entry. */
function modelChanges (content: Table): Change[] {
  const { model, models } = tableOf(tableOf(content['agents'])['defaults'])
  const path = ['agents', 'defaults', 'model', ...typeof model === 'string' ? [] : ['primary']]
  const name = modelOf(typeof model === 'string' ? model : tableOf(model)['primary'])
  if (name === undefined) return []
  const entry: Change = { path: ['agents', 'defaults', 'models', `${ID}/${name}`], value: {} }
  return [{ path, value: `${ID}/${name}` }, ...Object.keys(tableOf(models)).length > 0 ? [entry] : []]
}

/**
 * OpenClaw's configuration with the plugin loaded from where it lies: its own `plugins install` would write the file anew,
 * and leave entries behind.
 * @param folder where the plugin lies
 * @param args flags for the codex-sidecar that it starts
 * @throws EditError where it does not lie there
 */
export function pluginTarget (env: Readonly<Record<string, string | undefined>>, folder: string, args: readonly string[]): Target {
  if (!existsSync(join(folder, 'openclaw.plugin.json'))) throw new EditError(`the plugin does not lie in ${folder}`)
  const changes = (content: Table): Change[] => {
    const { allow, load } = tableOf(content['plugins'])
    return [
      { path: ['plugins', 'load', 'paths'], value: including(tableOf(load)['paths'], folder) },
      ...Array.isArray(allow) ? [{ path: ['plugins', 'allow'], value: including(allow, ID) }] : [],
      { path: ['plugins', 'entries', ID], value: { enabled: true, ...args.length > 0 ? { config: { args } } : {} } },
      ...modelChanges(content)
    ]
  }
  return {
    file: openclawFiles(env).config,
    format: json,
    changes,
    // Behind what others have put into a list since, ours stays: what there was before is not known any more.
    possible: content => changes(content).filter(({ value }) => !Array.isArray(value) || [folder, ID].includes(String(value.at(-1)))),
    left: content => modelChanges(content).length > 0 ? [] : [`agents.defaults.model names no model of OpenAI’s; openclaw models set ${ID}/MODEL chooses one`]
  }
}
