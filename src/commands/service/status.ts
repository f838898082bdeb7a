import type { CommandContext } from '../command.ts'
import { shown } from '../../config/home.ts'
import { installedOrigin } from './files.ts'
import { isReady } from './readiness.ts'
import type { Supervisor } from './supervisors/supervisor.ts'

/** Says whether the service is installed, runs and takes requests, and where its log is. @returns 0 where it takes them, else 1 */
export async function status ({ env, stdout }: CommandContext, { name, scope, paths, log, isActive }: Supervisor): Promise<number> {
  const origin = installedOrigin(paths)
  if (origin === undefined) {
    stdout.write(`codex-sidecar is no service of ${scope} (${name}): codex-sidecar service install\n`)
    return 1
  }
  const [runs, ready] = [await isActive(), await isReady(origin)]
  const lines = [
    `codex-sidecar is a service of ${scope} (${name})`,
    `  ${runs ? 'started' : 'not started'}, ${ready ? 'ready' : 'not ready'} at ${origin}`,
    `  files: ${paths.map(path => shown(path, env)).join(', ')}`,
    `  log: ${log}`
  ]
  stdout.write(`${lines.join('\n')}\n`)
  return ready && runs ? 0 : 1
}
