import { closeSync, openSync } from 'node:fs'

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
