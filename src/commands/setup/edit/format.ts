import json5 from 'json5'
import { parse as parseToml } from 'smol-toml'
import { tableOf, type Table } from '../../../wire/json.ts'
import { removeAt, setAt, sourceAt, type Path } from './json.ts'
import { removeToml, setToml, tomlSourceAt } from './toml.ts'

/** How a kind of file is read and edited; edits keep everything else as it is. */
export interface Format {
  /** @throws an error with the `line` or `lineNumber` where it stopped */
  readonly parse: (text: string) => Table
  /** A value's own text; undefined where there is none. */
  readonly sourceAt: (text: string, path: Path) => string | undefined
  readonly set: (text: string, path: Path, value: unknown) => string
  /** Puts a value's own text back. */
  readonly restore: (text: string, path: Path, source: string) => string
  readonly remove: (text: string, path: Path) => string
  /** What a new file begins with. */
  readonly empty: string
}

/** One line, as people write it. */
function inline (value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${inline(inner)}`)
  return `{ ${entries.join(', ')} }`
}

/** JSON, with comments, or JSON5: what is written is JSON, which all of them are. */
export const json: Format = {
  parse: text => tableOf(json5.parse(text.trim() === '' ? '{}' : text)),
  sourceAt,
  set: (text, path, value) => setAt(text.trim() === '' ? `${text}{}\n` : text, path, inline(value)),
  restore: setAt,
  remove: removeAt,
  empty: '{}\n'
}

/** TOML, of which only strings at the top are written. */
export const toml: Format = {
  parse: parseToml,
  sourceAt: (text, [key = '']) => tomlSourceAt(text, key),
  set: (text, [key = ''], value) => setToml(text, key, JSON.stringify(value)),
  restore: (text, [key = ''], source) => setToml(text, key, source),
  remove: (text, [key = '']) => removeToml(text, key),
  empty: ''
}
