import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { basename, dirname, join } from 'node:path'

const BOM = '\uFEFF'

/** A client's file as it is now. */
export interface ClientConfig {
  /** Where it lies, behind all links. */
  readonly path: string
  /** Undefined where there is none yet. */
  readonly stats: Stats | undefined
  /** Without the mark of its byte order. */
  readonly text: string
  readonly bom: string
}

/** @throws the system's error, but where there is no such file */
export function readConfig (file: string): ClientConfig {
  const path = existsSync(file) ? realpathSync(file) : file
  const stats = statSync(path, { throwIfNoEntry: false })
  const whole = stats === undefined ? '' : readFileSync(path, 'utf8')
  const bom = whole.startsWith(BOM) ? BOM : ''
  return { path, stats, text: whole.slice(bom.length), bom }
}

/** Whether its owner has taken the right to write it away, which only a new file in its place could get around. */
export const isReadOnly = ({ stats }: ClientConfig): boolean => stats !== undefined && (stats.mode & 0o222) === 0

/** A new file with another's mode and owner, or for its owner alone. */
function create (path: string, content: string, stats: Stats | undefined): void {
  writeFileSync(path, content, { flag: 'wx', mode: 0o600 })
  if (stats === undefined) return
  chownSync(path, stats.uid, stats.gid)
  chmodSync(path, stats.mode & 0o7777)
}

/** Puts a text in the file's place, whole: nobody ever reads half of it. */
export function replaceConfig ({ path, stats, bom }: ClientConfig, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  try {
    create(fresh, bom + text, stats)
    renameSync(fresh, path)
  } finally {
    rmSync(fresh, { force: true })
  }
}

const MARK = '.before-codex-sidecar-'

/** The name that a copy made now has, beside the file. */
const nameNow = (path: string): string => `${path}${MARK}${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`

/** Keeps the file as it is now, beside it. @returns the copy's path */
export function keepCopy ({ path, stats, text, bom }: ClientConfig): string {
  const copy = nameNow(path)
  create(copy, bom + text, stats)
  return copy
}

/** The youngest copy; undefined where there is none. */
export function latestCopy ({ path }: ClientConfig): string | undefined {
  const folder = dirname(path)
  const [name] = existsSync(folder) ? readdirSync(folder).filter(name => name.startsWith(`${basename(path)}${MARK}`)).sort().reverse() : []
  return name === undefined ? undefined : join(folder, name)
}
