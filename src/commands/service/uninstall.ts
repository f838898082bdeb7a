import { existsSync, rmSync } from 'node:fs'
import type { CommandContext } from '../command.ts'
import type { Supervisor } from './supervisors/supervisor.ts'

/** Stops the service and removes all that was installed; what is under way ends by itself. @returns the exit code */
export async function uninstall ({ stdout, stderr }: CommandContext, { name, scope, paths, written, obstacle, stop, forget, isActive }: Supervisor): Promise<number> {
  if (!paths.some(path => existsSync(path))) {
    stdout.write(`codex-sidecar is no service of ${scope} (${name})\n`)
    return 0
  }
  const reason = await obstacle()
  const fault = reason ?? await stop() // of a half-installed one it may not know everything
  if (reason === undefined && !(fault !== undefined && await isActive())) {
    for (const path of [...paths, ...written]) rmSync(path, { force: true })
    await forget()
    stdout.write(`codex-sidecar is no longer a service of ${scope} (${name}); what was under way ends by itself\n`)
    return 0
  }
  stderr.write(`codex-sidecar: ${fault}\n`)
  return 1
}
