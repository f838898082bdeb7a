import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../../../config/config.ts'
import { pointsHere } from '../../doctor/clients/base-url.ts'
import { otherPort } from '../../own-address.ts'
import { tableOf, type Table } from '../../../wire/json.ts'
import { leadOf } from '../../run/plan.ts'
import type { Change } from '../changes.ts'
import { EditError } from './error.ts'
import type { Path } from './json.ts'
import type { Format } from './format.ts'
import { valueAt, withValue } from './values.ts'

/** What becomes of a text, and of what is left as it is. */
export interface Edited { readonly text: string, readonly left: readonly string[] }

/** What a content means, whatever objects it is made of. */
const plain = (content: Table): unknown => JSON.parse(JSON.stringify(content))

/** Whatever the edit has done to the text, its meaning has to be the one expected. */
function checked (format: Format, text: string, expected: Table): string {
  let content: Table
  try {
    content = format.parse(text)
  } catch {
    throw new EditError('the edit would break it')
  }
  if (!isDeepStrictEqual(plain(content), plain(expected))) throw new EditError('the edit would change more than it should')
  return text
}

/** Where a base URL leads that is not ours; perhaps it is that of one of us with another port. */
function elsewhere (text: string, config: Config): string {
  const port = otherPort(text, config)
  return port === undefined ? 'an upstream of its own' : `port ${port} of this machine; if that is codex-sidecar, take it back first with --undo --port ${port}`
}

/** Sets what is to be set, but for base URLs that lead to an upstream of their own: our upstream would get its key. */
export function applyChanges (text: string, changes: readonly Change[], format: Format, config: Config): Edited {
  const left: string[] = []
  for (const { path, value } of changes) {
    const content = format.parse(text)
    const old = valueAt(content, path)
    if (isDeepStrictEqual(old, value)) continue
    if (typeof old === 'string' && URL.canParse(String(value)) && leadOf(old, config).kind !== 'usual') {
      left.push(`${path.join('.')} leads to ${elsewhere(old, config)}`)
      continue
    }
    text = checked(format, format.set(text, path, value), withValue(content, path, value))
  }
  return { text, left }
}

/** Whether a text is a base URL of ours, or a table has one where ours has. */
export const pointsAsOurs = (value: unknown, ours: unknown, config: Config): boolean => typeof ours === 'string'
  ? typeof value === 'string' && pointsHere(ours, config) && pointsHere(value, config)
  : Object.entries(tableOf(ours)).some(([key, inner]) => pointsAsOurs(tableOf(value)[key], inner, config))

/** Whether a value is one that we have set: base URLs may have had another path or port name then. */
function isOurs (value: unknown, ours: unknown, config: Config): boolean {
  if (typeof ours === 'string' && pointsHere(ours, config)) return pointsAsOurs(value, ours, config)
  const [keys, own] = [Object.keys(tableOf(value)), Object.entries(tableOf(ours))]
  return isDeepStrictEqual(value, ours) || own.length > 0 && keys.length === own.length && own.every(([key, inner]) => isOurs(tableOf(value)[key], inner, config))
}

/** Removes what is at a path; an anchor may hand on another value instead (`<<`). */
function removed (text: string, path: Path, format: Format): string {
  const rest = format.remove(text, path)
  return checked(format, rest, withValue(format.parse(text), path, format.sourceAt(rest, path) === undefined ? valueAt(format.parse(rest), path) : undefined))
}

/** Removes what is at a path, and what holds nothing any more and was not there before. */
function removeUp (text: string, path: Path, format: Format, before: unknown): string {
  text = removed(text, path, format)
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
  const content = format.parse(text)
  /** An entry that leads elsewhere is the user's, whatever else it has in common with ours. */
  const isTheirs = ({ path, value }: Change): boolean => pointsAsOurs(value, value, config) && !pointsAsOurs(valueAt(content, path), value, config)
  return changes.filter(change => !isTheirs(change)).reduce((rest, change) => takeBackOne(rest, change, format, before, config), text)
}
