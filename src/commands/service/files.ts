import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ServiceFile } from './supervisors/supervisor.ts'

/** Writes a file whole, where it is not there as it should be. @throws the system's error */
function write ({ path, text, encoding: given }: ServiceFile): boolean {
  const encoding = given ?? 'utf8'
  if (existsSync(path) && readFileSync(path, encoding) === text) return false
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  try {
    writeFileSync(fresh, text, { flag: 'wx', mode: 0o644, encoding })
    renameSync(fresh, path)
  } finally {
    rmSync(fresh, { force: true })
  }
  return true
}

/** Writes the files of a service. @returns the paths of those that are new or changed @throws the system's error */
export const writeFiles = (files: readonly ServiceFile[]): ReadonlySet<string> =>
  new Set(files.filter(file => write(file)).map(({ path }) => path))

/** Where an installed service listens, by its own files; undefined where none is installed. */
export function installedOrigin (paths: readonly string[]): string | undefined {
  for (const path of paths.filter(path => existsSync(path))) {
    const [origin] = /http:\/\/[^\s/]+(?=\/status\b)/.exec(readFileSync(path, 'utf8')) ?? []
    if (origin !== undefined) return origin
  }
  return undefined
}
