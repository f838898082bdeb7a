import { version } from '../../config/package-files.ts'
import type { Config } from '../../config/config.ts'
import type { CommandContext } from '../command.ts'
import { shown } from '../../config/home.ts'
import { carried } from './environment.ts'
import { installedOrigin, writeFiles } from './files.ts'
import { launchOf, type Launch } from './launch.ts'
import { versionOf } from './node-path.ts'
import { becomesReady, isReady, takenAddress, versionAt } from './readiness.ts'
import type { Supervisor } from './supervisors/supervisor.ts'

/** ms for a start, on a machine that starts much else at that time. */
const START = 20_000

/** What stands in the way of the addresses; undefined where they are free or the service's own. */
async function occupied ({ isActive, paths }: Supervisor, launch: Launch): Promise<string | undefined> {
  if (installedOrigin(paths) === launch.origin && await isActive()) return undefined
  const address = await takenAddress(launch)
  if (address === undefined) return undefined
  return await isReady(launch.origin)
    ? `a codex-sidecar that is not this service listens on ${address}: end it, or choose another port with --port`
    : `another program listens on ${address} (lsof -nP -iTCP:${launch.port} -sTCP:LISTEN tells which); choose another port with --port`
}

/** What a person should know of what was installed. */
function notesOn ({ secrets, notes }: Supervisor, env: CommandContext['env'], node: string): string[] {
  const versions = versionOf(node)
  const { withheld } = carried(env)
  return [
    ...notes,
    ...withheld.length === 0 ? [] : [`Not written, since it may hold a password: ${withheld.join(', ')}. Its place is ${secrets}.`],
    ...versions === undefined ? [] : [`It runs with Node ${versions.version} of ${versions.tool}. Where that is removed, it looks for another one; what is installed within it goes with it: then install codex-sidecar and the service again.`]
  ]
}

/**
 * Installs the service, starts it and waits until it takes requests; where all of that is so already, nothing is done.
 * @param patience ms until it has to take requests
 * @returns the exit code
 */
export async function install (context: CommandContext, self: readonly [string, ...string[]], config: Config, supervisor: Supervisor, patience = START): Promise<number> {
  const { env, stdout, stderr } = context
  const fail = (words: string): 1 => {
    stderr.write(`codex-sidecar: ${words}\n`)
    return 1
  }
  const launch = await launchOf(context, self, config)
  const obstacle = await supervisor.obstacle(launch) ?? await occupied(supervisor, launch)
  if (obstacle !== undefined) return fail(obstacle)
  let changed: ReadonlySet<string>
  try {
    changed = writeFiles(supervisor.files(launch))
  } catch (error) {
    const { code, path = 'the files' } = error as NodeJS.ErrnoException
    return fail(`cannot write ${shown(path, env)} (${code})`)
  }
  const isThere = changed.size === 0 && await supervisor.isActive() && await versionAt(launch.origin) === version()
  const fault = isThere ? undefined : await supervisor.start(changed)
  if (fault !== undefined) return fail(`${fault}\ncodex-sidecar service uninstall takes back what was installed`)
  if (!await becomesReady(launch.origin, patience)) return fail(`it is installed, and does not answer at ${launch.origin} within ${patience / 1_000} s. ${supervisor.log} says why; codex-sidecar service uninstall takes it back`)
  const lines = [
    `codex-sidecar ${isThere ? 'is' : 'is now'} a service of ${supervisor.scope} (${supervisor.name}), ready at ${launch.origin}`,
    `  files: ${supervisor.paths.map(path => shown(path, env)).join(', ')}`,
    `  log: ${supervisor.log}`,
    ...notesOn(supervisor, env, self[0]).map(note => `  ${note}`)
  ]
  stdout.write(`${lines.join('\n')}\n`)
  return 0
}
