import { mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pino, { type DestinationStream } from 'pino'
import { filled, homeOf } from '../../config/home.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Bytes from which on the log begins anew; the one before it is kept. */
const LARGEST = 10 << 20

/** Folder for what a program keeps of itself, by the customs of the system. */
export function stateFolder (env: Env, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return join(filled(env['LOCALAPPDATA']) ?? join(homeOf(env), 'AppData', 'Local'), 'codex-sidecar')
  if (platform === 'darwin') return join(homeOf(env), 'Library', 'Logs', 'codex-sidecar')
  return join(filled(env['XDG_STATE_HOME']) ?? join(homeOf(env), '.local', 'state'), 'codex-sidecar')
}

/** Where the log of `run` goes: one file for all, so that none is left behind by each. */
export const logFile = (env: Env): string => join(stateFolder(env), 'run.log')

/** Where one that runs in the background writes. */
export const backgroundLogFile = (env: Env): string => join(stateFolder(env), 'background.log')

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** Opens a file to add lines to, for its owner's eyes; a large one begins anew. @throws the system's error */
export function openForLines (file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  if (sizeOf(file) > LARGEST) renameSync(file, `${file}.1`)
  return openSync(file, 'a', 0o600)
}

/**
 * Opens the log of a run. Each line is added whole, so that those of several programs do not mix, and says
 * whose it is.
 * @param run tells the lines of one program from those of others
 * @throws the system's error
 */
export function openLogFile (file: string, run: number): DestinationStream {
  const to = pino.destination({ fd: openForLines(file), sync: true })
  to.on('error', () => {}) // a full disk ends no client
  return { write: line => { to.write(line.replace('{', `{"run":${run},`)) } }
}
