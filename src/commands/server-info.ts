import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'

/** What programs that start us want to know. */
interface ServerInfo { readonly pid: number, readonly port: number, readonly url: string }

/**
 * Writes it into a fresh file of its owner's, which takes the place of whatever has the name: nothing is written through
 * a link that somebody has put there, and whoever waits for the file never sees half of it.
 * @throws the system's error
 * @returns removes the file, unless it has become another one's
 */
export function writeServerInfo (file: string, info: ServerInfo): () => void {
  const text = `${JSON.stringify(info)}\n`
  const fresh = `${file}.${randomBytes(8).toString('hex')}`
  writeFileSync(fresh, text, { flag: 'wx', mode: 0o600 })
  try {
    renameSync(fresh, file)
  } catch (error) {
    unlinkSync(fresh)
    throw error
  }
  return () => {
    try {
      if (readFileSync(file, 'utf8') === text) unlinkSync(file)
    } catch {
      // somebody else has removed it
    }
  }
}
