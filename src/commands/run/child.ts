import spawn from 'cross-spawn'
import { constants } from 'node:os'
import type { Footprint } from './beside.ts'
import { watchdog } from './watchdog.ts'

/** How a child ended: its exit code, or that of a shell for the signal that ended it. */
export interface Ended { readonly code: number, readonly signal: NodeJS.Signals | null }

/** Those that a terminal gives to every process in its foreground by itself. */
const ofTerminals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']
const toPass: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT']

/** What a shell says of a command that it cannot start. */
const exitCode = (code: string): number => code === 'ENOENT' ? 127 : 126

/** What is started. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a terminal gives it the signals of its keys. */
  readonly terminal: boolean
  /** What is to be taken away at the end where we are killed and cannot do it ourselves. */
  readonly footprint?: Footprint | undefined
  /** What is done at its end. */
  readonly after?: (() => void) | undefined
}

/**
 * Starts a program on our own standard streams and in our own process group, so that it has the terminal as if we were
 * not there, and passes on the signals that only we get.
 * @param failed told why the program could not be started
 * @returns how it ended, once it has
 */
export function runChild ({ command, args, env, terminal, footprint, after }: Program, failed: (code: string) => void): Promise<Ended> {
  return new Promise(resolve => {
    const { watch, dismiss } = watchdog(footprint)
    const child = spawn(command, [...args], { env, stdio: 'inherit' })
    watch(child.pid)
    const listeners = new Map<NodeJS.Signals, () => void>()
    for (const signal of toPass) listeners.set(signal, () => { child.kill(signal) })
    for (const signal of ofTerminals) listeners.set(signal, terminal ? () => {} : () => { child.kill(signal) })
    // Ctrl+Z stops us too. Without a terminal there may be nobody who lets us go on, so only the client decides.
    if (!terminal) listeners.set('SIGTSTP', () => { child.kill('SIGTSTP') })
    for (const [signal, listener] of listeners) process.on(signal, listener)
    const end = (ended: Ended): void => {
      after?.()
      dismiss()
      for (const [signal, listener] of listeners) process.off(signal, listener)
      resolve(ended)
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      const code = String(error.code)
      failed(code)
      end({ code: exitCode(code), signal: null })
    })
    child.once('exit', (code, signal) => { end({ code: code ?? 128 + constants.signals[signal as NodeJS.Signals], signal }) })
  })
}
