import { lookup } from 'node:dns/promises'
import { realpathSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { basename, resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import type { CommandContext } from '../command.ts'
import { filled, homeOf } from '../../config/home.ts'
import { ownOrigin } from '../own-address.ts'
import { carried } from './environment.ts'
import { nodePath } from './node-path.ts'

/** How this program is started by the system, wherever that is. */
export interface Launch {
  /** Folders in which `node` is looked for, that of the running one first. */
  readonly path: readonly string[]
  /** Its name and its arguments; a name without a folder is looked for in `path`. */
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  /** Where it listens, as addresses and not as names. */
  readonly addresses: readonly string[]
  readonly port: number
  /** Where it is reached from here, without a last slash. */
  readonly origin: string
}

/** Flags whose values are files: whoever starts us has another working folder. */
const files = new Set(['config', 'server-info'])

/** Flags that stand alone. */
const flagOf = (name: string, value: string | undefined): string =>
  name === 'use-system-ca' && value === 'true' ? `--${name}` : `--${name}=${files.has(name) ? resolve(String(value)) : String(value)}`

/** The addresses that a name stands for; a machine without IPv6 has one loopback. @throws the resolver's error */
export async function addressesOf (host: string, interfaces = networkInterfaces()): Promise<readonly string[]> {
  if (host !== 'localhost') return [(await lookup(host)).address]
  const hasSix = Object.values(interfaces).some(all => all?.some(({ address }) => address === '::1'))
  return hasSix ? ['127.0.0.1', '::1'] : ['127.0.0.1']
}

/**
 * What the flags, the environment and the running Node make of it.
 * @param self the command line that runs this program now
 * @throws the resolver's error
 */
export async function launchOf ({ flags, env }: Pick<CommandContext, 'flags' | 'env'>, self: readonly [string, ...string[]], config: Config): Promise<Launch> {
  const [node, ...args] = self
  const given = { ...filled(env['CODEX_SIDECAR_CONFIG']) === undefined ? {} : { config: env['CODEX_SIDECAR_CONFIG'] }, ...flags }
  const isNode = /^node(?:\.exe)?$/.test(basename(node))
  return {
    path: nodePath(node, homeOf(env)),
    command: [isNode ? 'node' : node, ...args.map(arg => arg === args.at(-1) ? realpathSync(arg) : arg), ...Object.entries(given).map(([name, value]) => flagOf(name, value))],
    env: carried(env).written,
    addresses: await addressesOf(config.host),
    port: config.port,
    origin: ownOrigin(config)
  }
}
