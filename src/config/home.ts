import { homedir } from 'node:os'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** A variable's value, or undefined where it is empty too. */
export const filled = (value: string | undefined): string | undefined => value === undefined || value.trim() === '' ? undefined : value.trim()

/** The user's home folder. */
export const homeOf = (env: Env): string => filled(env['HOME']) ?? filled(env['USERPROFILE']) ?? homedir()

const expand = (path: string, home: string): string => path.replace(/^~(?=[/\\]|$)/, home)

/** A path as people write it, who know their home folder. */
export const fromHome = (path: string, home: string): string => path.startsWith(home) ? `~${path.slice(home.length)}` : path

/** The same, by an environment. */
export const shown = (path: string, env: Env): string => fromHome(path, homeOf(env))

/** Where the Codex CLI keeps its files. */
export const codexFolder = (env: Env): string => expand(filled(env['CODEX_HOME']) ?? '~/.codex', homeOf(env))

/** Where OpenClaw keeps its state and its configuration. */
export function openclawFiles (env: Env): { state: string, config: string } {
  const home = filled(env['OPENCLAW_HOME']) ?? homeOf(env)
  const state = expand(filled(env['OPENCLAW_STATE_DIR']) ?? '~/.openclaw', home)
  return { state, config: expand(filled(env['OPENCLAW_CONFIG_PATH']) ?? join(state, 'openclaw.json'), home) }
}

/** Where Claude Code keeps its files. */
export const claudeFolder = (env: Env): string => expand(filled(env['CLAUDE_CONFIG_DIR']) ?? '~/.claude', homeOf(env))

/** Where clients on this machine keep their logins. */
export interface ClientFolders { readonly home: string, readonly codex: string, readonly openclaw: string, readonly claude: string }

/** Of the user whose environment this is; undefined where it names no home folder, as that of a service of the machine does not. */
export function clientFolders (env: Env): ClientFolders | undefined {
  if ((filled(env['HOME']) ?? filled(env['USERPROFILE'])) === undefined) return undefined
  return { home: homeOf(env), codex: codexFolder(env), openclaw: openclawFiles(env).state, claude: claudeFolder(env) }
}
