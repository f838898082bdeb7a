import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../config/config.ts'
import { pointsHere } from '../doctor/clients/base-url.ts'
import { tableOf, type Table } from '../../wire/json.ts'
import { leadOf } from '../run/plan.ts'
import type { Change } from './changes.ts'
import { EditError, type Path } from './edit-json.ts'
import type { Format } from './format.ts'

/** What becomes of a text, and of what is left as it is. */
export interface Edited { readonly text: string, readonly left: readonly string[] }

const valueAt = (content: unknown, path: Path): unknown => path.reduce<unknown>((value, key) => tableOf(value)[key], content)

/** The same content with another value at a path; without it where it is undefined. */
function withValue (content: Table, [key = '', ...rest]: Path, value: unknown): Table {
  const { [key]: old, ...others } = content
  const inner = rest.length === 0 ? value : withValue(tableOf(old), rest, value)
  return inner === undefined ? others : { ...others, [key]: inner }
}

/** What a content means, whatever objects it is made of. */
const plain = (content: Table): unknown => JSON.parse(JSON.stringify(content))

/** Whatever the edit has done to the text, its meaning has to be the one expected. */
function checked (format: Format, text: string, expected: Table): string {
  if (!isDeepStrictEqual(plain(format.parse(text)), plain(expected))) throw new EditError('the edit would change more than it should')
  return text
}

/** Sets what is to be set, but for base URLs that lead to an upstream of their own: our upstream would get its key. */
export function applyChanges (text: string, changes: readonly Change[], format: Format, config: Config): Edited {
  const left: string[] = []
  for (const { path, value } of changes) {
    const content = format.parse(text)
    const old = valueAt(content, path)
    if (isDeepStrictEqual(old, value)) continue
    if (typeof old === 'string' && leadOf(old, config).kind !== 'usual') {
      left.push(`${path.join('.')} leads to an upstream of its own`)
      continue
    }
    text = checked(format, format.set(text, path, value), withValue(content, path, value))
  }
  return { text, left }
}

/** Whether a value is one that we have set: base URLs may have had another path or port name then. */
function isOurs (value: unknown, ours: unknown, config: Config): boolean {
  if (typeof value === 'string' && typeof ours === 'string' && pointsHere(ours, config)) return pointsHere(value, config)
  const [keys, own] = [Object.keys(tableOf(value)), Object.entries(tableOf(ours))]
  return isDeepStrictEqual(value, ours) || own.length > 0 && keys.length === own.length && own.every(([key, inner]) => isOurs(tableOf(value)[key], inner, config))
}

/** Removes what is at a path, and what holds nothing any more and was not there before. */
function removeUp (text: string, path: Path, format: Format, before: unknown): string {
  text = checked(format, format.remove(text, path), withValue(format.parse(text), path, undefined))
  const parent = path.slice(0, -1)
  if (parent.length === 0 || Object.keys(tableOf(valueAt(format.parse(text), parent))).length > 0 || valueAt(before, parent) !== undefined) return text
  return removeUp(text, parent, format, before)
}

/** Takes one value back, where it is still ours: to what it was before, or away. */
function takeBackOne (text: string, { path, value: ours }: Change, format: Format, before: string, config: Config): string {
  const content = format.parse(text)
  const value = valueAt(content, path)
  if (isOurs(value, ours, config)) {
    const source = format.sourceAt(before, path)
    const old = format.parse(before)
    if (source === undefined) return removeUp(text, path, format, old)
    return checked(format, format.restore(text, path, source), withValue(content, path, valueAt(old, path)))
  }
  // The user has added something to it: that stays, with what is theirs around it.
  if (Object.keys(tableOf(value)).length === 0) return text
  return Object.entries(tableOf(ours)).reduce((rest, [key, inner]) => takeBackOne(rest, { path: [...path, key], value: inner }, format, before, config), text)
}

/** Takes back what is ours in a text. @param before the text as it was before we came, or an empty file's */
export function takeBack (text: string, changes: readonly Change[], format: Format, before: string, config: Config): string {
  return changes.reduce((rest, change) => takeBackOne(rest, change, format, before, config), text)
}
