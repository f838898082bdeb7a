import { JsonObjectNode, JsonParser } from '@croct/json5-parser'
import { newlineOf } from './client-config.ts'
import { EditError } from './edit-error.ts'

/** Keys from the outermost object to a value. */
export type Path = readonly string[]

/** Puts something into the place of a part of a text. */
interface Splice { readonly from: number, readonly to: number, readonly text: string }

/** The parser counts characters beyond U+FFFF once, so that its places are those of a list of characters. */
function splice (text: string, { from, to, text: inner }: Splice): string {
  const characters = Array.from(text)
  return [...characters.slice(0, from), inner, ...characters.slice(to)].join('')
}

const spanOf = ({ location }: { location: { start: { index: number }, end: { index: number } } }): { from: number, to: number } =>
  ({ from: location.start.index, to: location.end.index })

const rootOf = (text: string): JsonObjectNode => JsonParser.parse(text, JsonObjectNode)

/** The last property of a name: it is the one that counts. */
const propertyOf = (object: JsonObjectNode, key: string | undefined) => object.properties.findLast(({ key: name }) => name.toJSON() === key)

/** The object that holds a property, as far as there are objects on the way, and the keys that are left. */
function descend (text: string, path: Path): { object: JsonObjectNode, rest: Path } {
  let object = rootOf(text)
  for (let i = 0; i < path.length - 1; i++) {
    const value = propertyOf(object, path[i])?.value
    if (!(value instanceof JsonObjectNode)) return { object, rest: path.slice(i) }
    object = value
  }
  return { object, rest: path.slice(-1) }
}

/** A value's own text; undefined where there is none. */
export function sourceAt (text: string, path: Path): string | undefined {
  const { object, rest } = descend(text, path)
  const value = rest.length === 1 ? propertyOf(object, rest[0])?.value : undefined
  if (value === undefined) return undefined
  const { from, to } = spanOf(value)
  return Array.from(text).slice(from, to).join('')
}

/** What a JSON text needs between a key and its value, and around both where they take a line. */
function line (characters: readonly string[], object: JsonObjectNode): { before: string, after: string } {
  const { from, to } = spanOf(object)
  const newline = newlineOf(characters.join(''))
  const indentAt = (index: number): string => characters.slice(0, index).join('').replace(/^[^]*\n/, '').replace(/[^\t ][^]*$/, '')
  const [first] = object.properties
  const inner = characters.slice(from + 1, to - 1).join('')
  if (first !== undefined && !characters.slice(from, spanOf(first).from).includes('\n')) return { before: ' ', after: '' }
  const own = indentAt(from)
  const indent = first === undefined ? own + (own.includes('\t') ? '\t' : '  ') : indentAt(spanOf(first).from)
  return { before: newline + indent, after: inner.includes('\n') ? '' : newline + own }
}

/**
 * Sets a value. What is not there yet comes first in its object, on a line of its own where its neighbours have one, so
 * that no other line is touched.
 * @param value its text
 * @throws EditError where something on the way is no object, or the parser's error
 */
export function setAt (text: string, path: Path, value: string): string {
  const { object, rest } = descend(text, path)
  const [key, ...missing] = rest
  const old = propertyOf(object, key)
  if (old !== undefined) {
    if (missing.length > 0) throw new EditError(`${path.slice(0, path.length - missing.length).join('.')} is no object`)
    return splice(text, { ...spanOf(old.value), text: value })
  }
  const entry = `${JSON.stringify(key)}: ${missing.reduceRight((inner, name) => `{ ${JSON.stringify(name)}: ${inner} }`, value)}`
  const { before, after } = line(Array.from(text), object)
  const start = spanOf(object).from + 1
  return splice(text, { from: start, to: start, text: object.properties.length > 0 ? `${before}${entry},${after}` : `${before}${entry}${after}` })
}

/** What may stand between two parts of an object, and the comma between them. */
const gap = /^(?:\s|\/\/[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*/

/** The place of the comma behind a place; undefined where there is none before the next part. */
function commaBehind (characters: readonly string[], place: number): number | undefined {
  const skipped = gap.exec(characters.slice(place).join(''))?.[0] ?? ''
  const at = place + Array.from(skipped).length
  return characters[at] === ',' ? at : undefined
}

/** Takes a property out, with its comma and the blanks before it, and what `setAt` has put around it. Comments stay. */
export function removeAt (text: string, path: Path): string {
  const { object, rest } = descend(text, path)
  const property = propertyOf(object, rest[0])
  if (rest.length !== 1 || property === undefined) return text
  const characters = Array.from(text)
  const { from, to } = spanOf(property)
  const before = object.properties[object.properties.indexOf(property) - 1]
  const begin = before === undefined ? spanOf(object).from + 1 : spanOf(before).to
  // Where it is the last one, JSON wants the comma before it to go.
  const comma = commaBehind(characters, to) ?? (before === undefined ? undefined : commaBehind(characters, begin))
  const between = characters.slice(begin, from).join('')
  const blanks = /\/\/[^\n]*\s+$/.test(between) ? 0 : Array.from(/\s*$/.exec(between)?.[0] ?? '').length // what ends a comment's line stays
  const after = object.properties.length === 1 && comma === undefined ? /^\s*(?=\})/.exec(characters.slice(to).join(''))?.[0].length ?? 0 : 0
  const [start, end] = [from - blanks, to + after]
  const cut = comma === undefined ? text : splice(text, { from: comma, to: comma + 1, text: '' })
  const moved = comma !== undefined && comma < start ? 1 : 0
  return splice(cut, { from: start - moved, to: end - moved, text: '' })
}
