import { join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { readClientFile } from '../doctor/clients/client-file.ts'
import { tableOf, textOf, type Table } from '../../wire/json.ts'
import { subject } from '../doctor/finding.ts'
import { codexFolder, filled } from '../../config/home.ts'
import { API_KEY, CHATGPT, codexLogin } from '../doctor/logins/codex.ts'
import { leadOf, valueOf, type Env, type Plan, type Wanted } from './plan.ts'

/** A value that the arguments set with `-c KEY=VALUE`, without TOML's quotes. */
const override = (args: readonly string[], key: string): string | undefined =>
  args.flatMap((arg, i) => /^(?:-c|--config)$/.test(args[i - 1] ?? '') ? [arg] : arg.startsWith('--config=') ? [arg.slice(9)] : [])
    .filter(pair => pair.startsWith(`${key}=`)).map(pair => pair.slice(key.length + 1).replace(/^(["'])(.*)\1$/, '$2')).at(-1)

/** The provider that Codex will choose. */
function chosenProvider (settings: Table, args: readonly string[]): string {
  const profile = tableOf(tableOf(settings['profiles'])[valueOf(args, ['-p', '--profile']) ?? textOf(settings['profile']) ?? ''])
  return override(args, 'model_provider') ?? (args.includes('--oss') ? 'oss' : textOf(profile['model_provider']) ?? textOf(settings['model_provider']) ?? 'openai')
}

/** The path that fits Codex's login. A key in the environment goes before what is kept in a file. */
export function loginPath (env: Env, settings: Table): string {
  if (filled(env['CODEX_API_KEY']) !== undefined) return API_KEY
  const { paths: [path = CHATGPT], present } = codexLogin(env, settings)
  const forced = textOf(settings['forced_login_method']) ?? textOf(settings['preferred_auth_method'])
  return present ? path : forced === 'api' || forced === 'apikey' ? API_KEY : CHATGPT
}

/** Whoever has set OPENAI_API_KEY thinks that Codex has a key. */
function keyNotes (env: Env, settings: Table): string[] {
  const keyless = filled(env['CODEX_API_KEY']) === undefined && filled(env['OPENAI_API_KEY']) !== undefined && !codexLogin(env, settings).present
  return keyless ? ['Codex has no login, and does not take OPENAI_API_KEY: set CODEX_API_KEY, or codex login --with-api-key'] : []
}

const pass = (note: string): Plan => ({ upstreams: {}, notes: [note], point: () => ({}) })

/**
 * Codex takes its base URL from its configuration alone, which `-c` overrides for one run; the user's own `-c` come later
 * and win. `chatgpt_base_url` stays what it is: contract.md section 1.
 */
export function planCodex ({ env, args, config }: Wanted): Plan {
  const { content: settings = {}, fault } = readClientFile(join(codexFolder(env), 'config.toml'), subject('codex.config', 'config.toml'), parseToml)
  if (fault !== undefined) return pass('config.toml cannot be read, so Codex goes past codex-sidecar')
  const chosen = chosenProvider(settings, args)
  const entry = tableOf(settings['model_providers'])[chosen]
  if (chosen !== 'openai' && (entry === undefined || !/^[\w-]+$/.test(chosen))) return pass(`Codex goes past codex-sidecar: its provider is ${JSON.stringify(chosen)}`)
  const provider = tableOf(entry)
  const url = chosen === 'openai' ? textOf(settings['openai_base_url']) : textOf(provider['base_url'])
  const lead = leadOf(url, config)
  if (lead.kind === 'unusable') return pass('Codex goes past codex-sidecar: its base URL can not be an upstream')
  const byLogin = chosen === 'openai' || provider['requires_openai_auth'] === true
  const path = lead.kind === 'own' ? API_KEY : /\/backend-api\b/.test(url ?? '') ? CHATGPT : byLogin ? loginPath(env, settings) : API_KEY
  if (!config.routes.some(({ prefix }) => `${path}/`.startsWith(`${prefix}/`))) return pass(`Codex goes past codex-sidecar, which has no route ${path}/`)
  const key = chosen === 'openai' ? 'openai_base_url' : `model_providers.${chosen}.base_url`
  return {
    upstreams: lead.kind === 'own' ? { CODEX_SIDECAR_OPENAI_UPSTREAM: lead.url } : {},
    notes: byLogin ? keyNotes(env, settings) : [],
    point: origin => ({ args: ['-c', `${key}="${origin}${path}"`] })
  }
}
