import { tableOf, textOf, type Table } from '../../../wire/json.ts'
import type { Path } from './json.ts'

/** What the entries of a list are called in a path: by their names, so that each is found also where others have come before it. */
export function namesIn (list: readonly unknown[]): readonly string[] {
  const names: string[] = []
  for (const entry of list) {
    const { name, model } = tableOf(entry)
    const called = textOf(name) ?? textOf(model) ?? '?'
    let unique = called
    for (let nth = 2; names.includes(unique); nth++) unique = `${called} (${nth})`
    names.push(unique)
  }
  return names
}

/** What is at a path; undefined where there is nothing. */
export const valueAt = (content: unknown, path: Path): unknown => path.reduce<unknown>((value, key) =>
  Array.isArray(value) ? (value as unknown[])[namesIn(value).indexOf(key)] : tableOf(value)[key], content)

/** The same content with another value at a path; without it where it is undefined. */
export function withValue (content: Table, [key = '', ...rest]: Path, value: unknown): Table {
  const { [key]: old, ...others } = content
  const inner = rest.length === 0 ? value : Array.isArray(old) ? withEntry(old, rest, value) : withValue(tableOf(old), rest, value)
  return inner === undefined ? others : { ...others, [key]: inner }
}

/** The same for a list, of which the path's first key names an entry. */
function withEntry (list: readonly unknown[], [name, ...rest]: Path, value: unknown): readonly unknown[] {
  const names = namesIn(list)
  return list.map((entry, i) => names[i] === name ? withValue(tableOf(entry), rest, value) : entry)
}
