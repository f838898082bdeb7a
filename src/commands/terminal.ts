import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * A text of others as it may go to a terminal: its lines, without anything that a terminal obeys (ECMA-48; some do so in
 * the range of C1 too), or that turns the order of its characters around.
 */
export const printable = (text: string): string => text.replace(/(?!\n)\p{C}/gu, '')

/** The terminal that a process belongs to, whatever its streams are. */
const CONTROLLING = '/dev/tty'

/**
 * Whether there is a terminal that gives its signals (Ctrl+C, Ctrl+Z) to every process in its foreground, clients of ours
 * too. It can be opened as long as it is there (tty(4)): a terminal that is closed takes itself from its processes. The
 * consoles of Windows give theirs in the same way, and can not be asked.
 */
export function hasTerminal (platform: NodeJS.Platform = process.platform, path = CONTROLLING): boolean {
  if (platform === 'win32') return true
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
  }
}

/** Whether one of the standard streams is a terminal; after `nohup`, and for a service, none is. */
export const atTerminal = (): boolean => [0, 1, 2].some(fd => isatty(fd))

/**
 * What a hangup means: that the terminal is gone in which the program ran, so that it should end (signal(7)), or, by the
 * custom of services, that the configuration is to be read again. Windows sends it only when the console is closed.
 * @param had whether there was a terminal at the start
 */
export const isTerminalGone = (had: boolean, platform: NodeJS.Platform = process.platform, path?: string): boolean =>
  platform === 'win32' || had && !hasTerminal(platform, path)

/**
 * Ends by the hangup itself where the terminal is gone: Node resets its terminal on the way out, and hangs where that is
 * not there any more, at 100 % of a processor (seen with 20.20).
 * @param listener ours, that stands in the way of the signal's own meaning
 * @returns never
 */
/* c8 ignore start: a process that ends by a signal tells nobody what of it has run */
export async function endByHangup (listener: () => void = () => {}): Promise<never> {
  process.off('SIGHUP', listener)
  process.kill(process.pid, 'SIGHUP')
  return await new Promise(() => {}) // the signal may take a moment
}
/* c8 ignore stop */
