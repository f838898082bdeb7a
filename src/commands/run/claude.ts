import { join } from 'node:path'
import json5 from 'json5'
import { readClientFile } from '../doctor/clients/client-file.ts'
import { tableOf, textOf } from '../../wire/json.ts'
import { subject } from '../doctor/finding.ts'
import { filled, homeOf } from '../../config/home.ts'
import { planEnvironment } from './environment.ts'
import { valueOf, type Env, type Plan, type Wanted } from './plan.ts'

const VARIABLE = 'ANTHROPIC_BASE_URL'

/** Settings from the least to the most particular; the later ones win (https://docs.claude.com/en/docs/claude-code/settings). */
const settingsFiles = (env: Env, folder: string): string[] => [
  join(filled(env['CLAUDE_CONFIG_DIR']) ?? join(homeOf(env), '.claude'), 'settings.json'),
  ...['settings.json', 'settings.local.json'].map(name => join(folder, '.claude', name))
]

/** The variable as Claude Code's own settings have it: those go before the environment. */
const fromSettings = (env: Env, folder: string): string | undefined =>
  settingsFiles(env, folder).map(file => textOf(tableOf(readClientFile(file, subject('', ''), json5.parse).content?.['env'])[VARIABLE])).findLast(url => url !== undefined)

/** Claude Code takes the variable; where its settings have one too, ours has to come as settings, which go before all others. */
export function planClaude (wanted: Wanted, folder: string = process.cwd()): Plan {
  const { env, args } = wanted
  const set = fromSettings(env, folder)
  const { upstreams, notes, point } = planEnvironment({ ...wanted, env: { ...env, ...set === undefined ? {} : { [VARIABLE]: set } } })
  if (set === undefined) return { upstreams, notes, point }
  if (valueOf(args, ['--settings']) !== undefined) return { upstreams: {}, notes: [`Claude Code goes where its settings say, since it has --settings of your own: ${VARIABLE} there and in its files goes before the environment`], point: () => ({}) }
  return {
    upstreams, notes,
    point: origin => {
      const { env: variables = {} } = point(origin)
      return { env: variables, args: VARIABLE in variables ? ['--settings', JSON.stringify({ env: { [VARIABLE]: variables[VARIABLE] } })] : [] }
    }
  }
}
