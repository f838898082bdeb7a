import { readFileSync } from 'node:fs'
import { tableOf, type Table } from '../../../wire/json.ts'
import type { Finding, Subject } from '../finding.ts'

/** What a client's file holds; a finding where it can not be used; neither where there is none. */
export interface ClientFile { readonly content?: Table, readonly fault?: Finding }

/**
 * Reads a client's file. Of a parser's complaint only the line is told: its words quote the file, secrets included.
 * @param parse throws an error with the `line` or `lineNumber` where it stopped
 */
export function readClientFile (file: string, look: Subject, parse: (text: string) => unknown): ClientFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
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
