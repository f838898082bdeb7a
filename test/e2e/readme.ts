import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const path = join(import.meta.dirname, 'README.md')

/** Puts a table between its marks in the README beside this file, with the day. */
export async function intoReadme (mark: string, table: string): Promise<void> {
  const taken = `Taken on ${new Date().toISOString().slice(0, 10)}. ${table}`
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(new RegExp(`(<!-- ${mark} -->).*(<!-- /${mark} -->)`, 's'), (_, begin: string, end: string) => `${begin}\n${taken}\n${end}`))
}
