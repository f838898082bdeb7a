import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { tableOf, type Table } from '../../../wire/json.ts'
import type { Finding, Subject } from '../finding.ts'

/** Bytes of a file that is read: configurations and logins have some thousands. */
const LARGEST = 1 << 24

/** A pipe is opened without waiting for somebody at its other end, which Windows does not know. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK

/**
 * A file's text.
 * @throws the system's error, or one of its kind where it is no file, or too large for what it should be
 */
function readText (file: string): string {
  const descriptor = openSync(file, flags)
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error('it is no file'), { code: 'ENXIO' })
    if (stats.size > LARGEST) throw Object.assign(new Error('it is too large'), { code: 'EFBIG' })
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

/** What a client's file holds; a finding where it can not be used; neither where there is none. */
export interface ClientFile { readonly content?: Table, readonly fault?: Finding }

/**
 * Reads a client's file. Of a parser's complaint only the line is told: its words quote the file, secrets included.
 * @param parse throws an error with the `line` or `lineNumber` where it stopped
 */
export function readClientFile (file: string, look: Subject, parse: (text: string) => unknown): ClientFile {
  let text: string
  try {
    text = readText(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? {} : { fault: look.problem(`cannot be read (${code})`, `ls -l ${file}`) }
  }
  try {
    return { content: tableOf(parse(text)) }
  } catch (error) {
    const { line, lineNumber = line } = error as { line?: number, lineNumber?: number }
    return { fault: look.problem(`is not valid: line ${lineNumber}`, `correct line ${lineNumber} of ${file}`) }
  }
}
