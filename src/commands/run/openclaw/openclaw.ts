import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Config } from '../../../config/config.ts'
import { readClientFile } from '../../doctor/clients/client-file.ts'
import { tableOf, textOf, type Table } from '../../../wire/json.ts'
import { subject } from '../../doctor/finding.ts'
import { commandSqlite, ownSqlite } from '../../../logins/sqlite.ts'
import { filled, homeOf, openclawFiles, shown } from '../../../config/home.ts'
import type { Change, Target } from '../../setup/changes.ts'
import { openclawTarget } from '../../setup/openclaw.ts'
import { applyChanges } from '../../setup/edit/edits.ts'
import { erase, footprintOf, keepBeside, writeBeside, type Footprint } from '../beside.ts'
import { catalogsOf, forgetInDatabases } from './catalogs.ts'
import { withIncludes } from './includes.ts'
import { leadOf, valueOf, type Env, type Plan, type Wanted } from '../plan.ts'

/** The version of the package behind a command, as npm installs it: linked from the PATH, or beside a shim of Windows. */
function installedVersion (command: string, env: Env): string | undefined {
  const folders = /[/\\]/.test(command) ? [''] : (env['PATH'] ?? '').split(delimiter)
  const path = folders.map(folder => join(folder, command)).find(existsSync)
  if (path === undefined) return undefined
  const packages = [dirname(realpathSync(path)), join(dirname(path), 'node_modules', 'openclaw')]
    .map(folder => readClientFile(join(folder, 'package.json'), subject('', ''), text => JSON.parse(text) as unknown).content)
  return textOf(packages.find(content => content?.['name'] === 'openclaw')?.['version'])
}

/** Its variables as its own flags for another state folder set them. */
function profiled (env: Env, args: readonly string[]): Env {
  const name = args.includes('--dev') ? 'dev' : valueOf(args, ['--profile'])
  if (name === undefined || name === 'default' || filled(env['OPENCLAW_STATE_DIR']) !== undefined) return env
  return { ...env, OPENCLAW_STATE_DIR: join(filled(env['OPENCLAW_HOME']) ?? homeOf(env), `.openclaw-${name}`) }
}

/** Where a provider goes by itself: by its own entry, or by a variable. */
function ownUrl (content: Table, provider: string, env: Env): string | undefined {
  const { baseUrl } = tableOf(tableOf(tableOf(content['models'])['providers'])[provider])
  return textOf(baseUrl) ?? env[`${provider.toUpperCase()}_BASE_URL`]
}

/** The path of the base URL that changes set for a provider; that of the origin itself is Anthropic's. */
function pathFor (provider: string, changes: readonly Change[]): string {
  const urls = changes.filter(({ path }) => path[2] === provider).map(({ path, value }) => path[3] === undefined ? tableOf(value)['baseUrl'] : path[3] === 'baseUrl' ? value : undefined)
  const { pathname } = new URL(urls.map(textOf).find(url => url !== undefined) as string)
  return pathname === '/' ? '/v1/messages' : pathname
}

/** What a text of a configuration becomes, and what of it goes past us. */
function pointed (text: string, target: Target, { config, env, version }: { config: Config, env: Env, version: string | undefined }): { text: string, past: string[] } {
  const merged = withIncludes(target.format.parse(text), dirname(target.file))
  const content = { ...merged, ...version === undefined ? {} : { meta: { lastTouchedVersion: version } } }
  const all = target.changes(content)
  const providers = [...new Set(all.map(({ path: [,, provider] }) => provider as string))].filter(provider => config.routes.some(({ prefix }) => `${pathFor(provider, all)}/`.startsWith(`${prefix}/`)))
  const usual = providers.filter(provider => leadOf(ownUrl(merged, provider, env), config).kind === 'usual')
  const past = providers.filter(provider => !usual.includes(provider)).map(provider => `OpenClaw's provider ${provider} goes past codex-sidecar: it has a base URL of its own`)
  return { text: applyChanges(text, all.filter(({ path: [,, provider] }) => usual.includes(provider as string)), target.format, config).text, past }
}

/** Takes away what is left of a run, and our origin out of what OpenClaw has made of the copy. */
function forget (footprint: Footprint, state: string, env: Env): string[] {
  const { origin } = footprint
  try {
    const catalogs = catalogsOf(state)
    erase({ ...footprint, files: new Set([...footprint.files, ...catalogs]) }) // agents may be new
    forgetInDatabases(catalogs, origin, () => ownSqlite() ?? commandSqlite(env))
    return []
  } catch {
    return [`OpenClaw's catalogs of models may still name ${origin}, where nobody listens any more: openclaw doctor --fix`]
  }
}

/**
 * OpenClaw takes the place of its configuration from a variable: it gets a copy beside its own, where its `$include` are
 * found and allowed (both generations refuse those outside of the folder). A gateway that runs already has its own.
 */
export function planOpenclaw ({ env, args, config, command }: Wanted & { readonly command: string }): Plan {
  const { config: file, state } = openclawFiles(profiled(env, args))
  const point: Plan['point'] = origin => {
    const { hostname, port } = new URL(origin)
    const target = openclawTarget({ ...env, OPENCLAW_CONFIG_PATH: file }, { ...config, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }, { service: undefined, wanted: false })
    try {
      const { text, past } = pointed(existsSync(file) ? readFileSync(file, 'utf8').replace(/^\uFEFF/, '') : '', target, { config, env, version: installedVersion(command, env) })
      const copy = writeBeside(file, text)
      const catalogs = catalogsOf(state)
      for (const catalog of catalogs) keepBeside(catalog)
      const footprint = footprintOf([copy, ...catalogs], origin)
      return {
        env: { OPENCLAW_CONFIG_PATH: copy },
        footprint,
        finish: () => forget(footprint, state, env),
        notes: [...past, `OpenClaw has a copy of ${shown(file, env)} for this run: what it writes there is gone with it`]
      }
    } catch (error) {
      // A parser's own words quote the file, secrets included.
      const { code = 'it is not valid' } = error as NodeJS.ErrnoException
      return { notes: [`OpenClaw goes past codex-sidecar: ${shown(file, env)} cannot be copied (${code})`] }
    }
  }
  return { upstreams: {}, notes: [], point }
}
