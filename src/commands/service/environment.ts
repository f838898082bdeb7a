import { resolve } from 'node:path'
import { masked } from '../../config/masked.ts'
import { filled } from '../../config/home.ts'

/** What holds in this shell and would not in a service. The configuration file becomes a flag. */
const names = /^(?:CODEX_SIDECAR_(?!CONFIG$)\w+|NODE_EXTRA_CA_CERTS|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY)$/

/** Those whose values are files: a service has another working folder. */
const files = /^(?:NODE_EXTRA_CA_CERTS|CODEX_SIDECAR_SERVER_INFO)$/

/** What a service gets of this environment. */
export interface Carried {
  readonly written: Readonly<Record<string, string>>
  /** Names of those that may hold a password, and so are not written into a file that others can read. */
  readonly withheld: readonly string[]
}

/** Parts the variables that concern this program into those that may be written down and those that may not. */
export function carried (env: Readonly<Record<string, string | undefined>>): Carried {
  const written: Record<string, string> = {}
  const withheld: string[] = []
  for (const name of Object.keys(env).filter(name => names.test(name)).sort()) {
    const value = filled(env[name])
    if (value === undefined) continue
    if (files.test(name)) written[name] = resolve(value)
    else if (masked(value) !== value || /\p{Cc}/u.test(value)) withheld.push(name)
    else written[name] = value
  }
  return { written, withheld }
}
