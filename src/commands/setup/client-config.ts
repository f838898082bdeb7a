import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import { EditError } from './edit/error.ts'

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

/** The line end of a text: that of its first line. */
export const newlineOf = (text: string): string => /\r?\n/.exec(text)?.[0] ?? '\n'

/** Where a path leads to behind all links, also where nothing is there yet. */
function placeOf (file: string): string {
  if (existsSync(file)) return realpathSync(file)
  const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true
  return isLink ? placeOf(resolve(dirname(file), readlinkSync(file))) : file
}

/** @throws the system's error, but where there is no such file; EditError where it is no text */
export function readConfig (file: string): ClientConfig {
  const path = placeOf(file)
  const stats = statSync(path, { throwIfNoEntry: false })
  const bytes = stats === undefined ? Buffer.of() : readFileSync(path)
  const whole = bytes.toString()
  if (!bytes.equals(Buffer.from(whole))) throw new EditError(`${basename(path)} is left alone: it is not UTF-8`)
  const bom = whole.startsWith(BOM) ? BOM : ''
  return { path, stats, text: whole.slice(bom.length), bom }
}

/** Whether its owner has taken the right to write it away, which only a new file in its place could get around. */
export const isReadOnly = ({ stats }: ClientConfig): boolean => stats !== undefined && (stats.mode & 0o222) === 0

/** Whether it has another name, which keeps the text as it is: clients write in the same way. */
export const isHardLinked = ({ stats }: ClientConfig): boolean => stats !== undefined && stats.nlink > 1

/** A new file with another's mode and owner, or for its owner alone. It is there whole, or not at all. */
function create (path: string, content: string, stats: Stats | undefined): void {
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(fresh, content, { flag: 'wx', mode: 0o600, flush: true })
    if (stats !== undefined) {
      chownSync(fresh, stats.uid, stats.gid)
      chmodSync(fresh, stats.mode & 0o7777)
    }
    renameSync(fresh, path)
  } finally {
    rmSync(fresh, { force: true })
  }
}

/** Whether the file is still the one that was read: its client, or another one of us, may have written it since. */
const isSame = ({ path, stats, text, bom }: ClientConfig): boolean =>
  existsSync(path) ? stats !== undefined && readFileSync(path, 'utf8') === bom + text : stats === undefined

/**
 * Puts a text in the file's place, whole: nobody ever reads half of it.
 * @throws the system's error, or EditError where the file has changed since it was read
 */
export function replaceConfig (config: ClientConfig, text: string): void {
  const { path, stats, bom } = config
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!isSame(config)) throw new EditError(`${basename(path)} has changed meanwhile, so it is left alone; try again`)
  create(path, bom + text, stats)
}

const MARK = '.before-codex-sidecar-'

/** The name that a copy made now has, beside the file. */
const nameNow = (path: string): string => `${path}${MARK}${new Date().toISOString().replace(/[-:.]/g, '')}`

/** Keeps the file as it is now, beside it. */
export const keepCopy = ({ path, stats, text, bom }: ClientConfig): void => { create(nameNow(path), bom + text, stats) }

/** The youngest copy; undefined where there is none. */
export function latestCopy ({ path }: ClientConfig): string | undefined {
  const folder = dirname(path)
  const [name] = existsSync(folder) ? readdirSync(folder).filter(name => name.startsWith(`${basename(path)}${MARK}2`)).sort().reverse() : []
  return name === undefined ? undefined : join(folder, name)
}
