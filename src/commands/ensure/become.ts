import { runChild, type Program } from '../run/child.ts'
import { hasTerminal } from '../terminal.ts'

/** Node 22.15, not on Windows. */
type Execve = (file: string, args: readonly string[], env: Program['env']) => never

/** A shell finds the command as every shell does, and says what is wrong with it. */
const shell = ['sh', '-c', 'exec "$0" "$@"']

/**
 * Puts a command in the place of this process, where Node can do that; else it is run and its exit code handed on.
 * @param failed told why it could not be started
 * @returns its exit code, where there is still somebody to return to
 */
export async function become ({ command, args, env }: Omit<Program, 'terminal'>, failed: (code: string) => void, { execve }: { execve?: Execve } = process as { execve?: Execve }): Promise<number> {
  if (execve !== undefined && process.platform !== 'win32') return execve('/bin/sh', [...shell, command, ...args], env)
  const { code } = await runChild({ command, args, env, terminal: hasTerminal() }, failed)
  return code
}
