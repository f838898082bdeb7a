import { homedir } from 'node:os'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** A variable's value, or undefined where it is empty too. */
export const filled = (value: string | undefined): string | undefined => value === undefined || value.trim() === '' ? undefined : value.trim()

/** The user's home folder. */
export const homeOf = (env: Env): string => filled(env['HOME']) ?? filled(env['USERPROFILE']) ?? homedir()

const expand = (path: string, home: string): string => path.replace(/^~(?=[/\\]|$)/, home)

/** A path as people write it. */
export const shown = (path: string, env: Env): string => {
  const home = homeOf(env)
  return path.startsWith(home) ? `~${path.slice(home.length)}` : path
}

/** Where the Codex CLI keeps its files. */
export const codexFolder = (env: Env): string => expand(filled(env['CODEX_HOME']) ?? '~/.codex', homeOf(env))

/** Where OpenClaw keeps its state and its configuration. */
export function openclawFiles (env: Env): { state: string, config: string } {
  const home = filled(env['OPENCLAW_HOME']) ?? homeOf(env)
  const state = expand(filled(env['OPENCLAW_STATE_DIR']) ?? '~/.openclaw', home)
  return { state, config: expand(filled(env['OPENCLAW_CONFIG_PATH']) ?? join(state, 'openclaw.json'), home) }
}
