import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const MARK = '.codex-sidecar-run-'

/** How files of a run end, by the process that made them. */
const markOf = (pid: number): string => `${MARK}${pid}`

/** What a run leaves in a client's folder, to be taken away at its end. */
export interface Footprint {
  /** Our own files, which end with the mark, and the client's own in which it may have written our origin. */
  readonly files: Iterable<string>
  readonly origin: string
  /** How our own files end. */
  readonly mark: string
}

export const footprintOf = (files: Iterable<string>, origin: string, pid: number = process.pid): Footprint => ({ files, origin, mark: markOf(pid) })

/** Removes a file and what its reader has put beside it: backups and the like, which have its name and a dot. */
function removeWithKin (file: string): void {
  const [folder, name] = [dirname(file), basename(file)]
  if (!existsSync(folder)) return // the client has removed all of its own
  for (const entry of readdirSync(folder)) if (entry === name || entry.startsWith(`${name}.`)) rmSync(join(folder, entry), { force: true, recursive: true })
}

/** Puts a client's own file back as it was, where our origin is in it, or away where there was none. */
function putBack (file: string, { origin, mark }: Footprint): void {
  const before = `${file}${mark}`
  if (existsSync(file) && readFileSync(file, 'utf8').includes(`${origin}/`)) {
    if (existsSync(before)) renameSync(before, file)
    else rmSync(file)
  }
  rmSync(before, { force: true })
}

/** Takes away what a run has left; what the watchdog does where we are killed. */
export function erase (footprint: Footprint): void {
  for (const file of footprint.files) {
    if (file.endsWith(footprint.mark)) removeWithKin(file)
    else putBack(file, footprint)
  }
}

/** Whether a process is there, ours or another's. */
function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Sees to what runs have left that could not do it themselves, since the machine went down with them. */
function sweep (file: string, done: (entry: string) => void): void {
  const [folder, start] = [dirname(file), `${basename(file)}${MARK}`]
  for (const entry of readdirSync(folder).filter(entry => entry.startsWith(start))) {
    if (!isAlive(Number.parseInt(entry.slice(start.length)))) done(join(folder, entry))
  }
}

/**
 * Writes another version of a client's file for one run, beside it, where what it names by relative paths is found; for its
 * owner's eyes.
 * @returns its path
 * @throws the system's error
 */
export function writeBeside (file: string, text: string, pid: number = process.pid): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  sweep(file, left => { rmSync(left, { force: true, recursive: true }) })
  const path = `${file}${markOf(pid)}`
  removeWithKin(path) // of a process that had our number before us
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
  return path
}

/** Keeps a client's own file as it is before a run. */
export function keepBeside (file: string, pid: number = process.pid): void {
  sweep(file, left => { renameSync(left, file) })
  if (existsSync(file)) copyFileSync(file, `${file}${markOf(pid)}`)
}
