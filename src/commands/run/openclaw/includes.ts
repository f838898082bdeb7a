import { dirname, resolve } from 'node:path'
import json5 from 'json5'
import { readClientFile } from '../../doctor/clients/client-file.ts'
import { tableOf, type Table } from '../../../wire/json.ts'
import { subject } from '../../doctor/finding.ts'

/** Files in files that OpenClaw follows (its documents, "Config includes"). */
const DEPTH = 10

/** Objects are merged key by key, all else is the later one's. */
function merge (first: unknown, second: unknown): unknown {
  const [a, b] = [tableOf(first), tableOf(second)]
  if (a !== first || b !== second) return second
  return { ...a, ...Object.fromEntries(Object.entries(b).map(([key, value]) => [key, key in a ? merge(a[key], value) : value])) }
}

/**
 * A configuration of OpenClaw with what its `$include` name, one file or several, beneath the keys beside it. What cannot
 * be read is left out: OpenClaw says it itself.
 * @param folder of the file that the content is from
 */
export function withIncludes (content: Table, folder: string, depth = DEPTH): Table {
  const { $include, ...own } = content
  const files = [$include].flat().filter(file => typeof file === 'string')
  const included = depth === 0 ? [] : files.map(file => {
    const path = resolve(folder, file)
    return withIncludes(readClientFile(path, subject('', ''), json5.parse).content ?? {}, dirname(path), depth - 1)
  })
  const inner = Object.entries(own).map(([key, value]) => [key, tableOf(value) === value ? withIncludes(value as Table, folder, depth) : value])
  return [...included, Object.fromEntries(inner) as Table].reduce((first, second) => merge(first, second) as Table, {})
}
