import { newlineOf } from '../client-config.ts'
import { EditError } from './error.ts'
import { placesIn, type Place, type Property } from './json-places.ts'
import { past } from './scan.ts'

/** Keys from the outermost object to a value. */
export type Path = readonly string[]

/** An object's place. */
type Object = Required<Place>

const isObject = (place: Place | undefined): place is Object => place?.properties !== undefined

/** Puts something into the place of a part of a text. */
export const splice = (text: string, { from, to }: Omit<Place, 'properties'>, inner: string): string => text.slice(0, from) + inner + text.slice(to)

/** The last property of a name: it is the one that counts. */
const propertyOf = ({ properties }: Object, key: string | undefined): Property | undefined => properties.findLast(property => property.key === key)

/** The object that holds a property, as far as there are objects on the way, and the keys that are left. */
function descend (text: string, path: Path): { object: Object, rest: Path } {
  const root = placesIn(text)
  if (!isObject(root)) throw new EditError('it is no object')
  let object = root
  for (let i = 0; i < path.length - 1; i++) {
    const value = propertyOf(object, path[i])?.value
    if (!isObject(value)) return { object, rest: path.slice(i) }
    object = value
  }
  return { object, rest: path.slice(-1) }
}

/** A value's own text; undefined where there is none. */
export function sourceAt (text: string, path: Path): string | undefined {
  const { object, rest } = descend(text, path)
  const value = rest.length === 1 ? propertyOf(object, rest[0])?.value : undefined
  return value && text.slice(value.from, value.to)
}

/** What a JSON text needs between a key and its value, and around both where they take a line. */
function line (text: string, { from, to, properties: [first] }: Object): { before: string, after: string } {
  const newline = newlineOf(text)
  const indentAt = (index: number): string => text.slice(0, index).replace(/^[^]*\n/, '').replace(/[^\t ][^]*$/, '')
  const isLong = text.slice(from, first?.from ?? to).includes('\n')
  if (!isLong && (first !== undefined || text.slice(from + 1, to - 1).trim() !== '')) return { before: ' ', after: '' }
  const own = indentAt(from)
  const indent = first === undefined ? own + (own.includes('\t') ? '\t' : '  ') : indentAt(first.from)
  return { before: newline + indent, after: isLong || text.slice(from, to).includes('\n') ? '' : newline + own }
}

/**
 * Sets a value. What is not there yet comes first in its object, on a line of its own where its neighbours have one, so
 * that no other line is touched.
 * @param text known to be JSON5
 * @param value its text
 * @throws EditError where something on the way is no object
 */
export function setAt (text: string, path: Path, value: string): string {
  const { object, rest } = descend(text, path)
  const [key, ...missing] = rest
  const old = propertyOf(object, key)
  if (old !== undefined) {
    if (missing.length > 0) throw new EditError(`${path.slice(0, path.length - missing.length).join('.')} is no object`)
    return splice(text, old.value, value)
  }
  const entry = `${JSON.stringify(key)}: ${missing.reduceRight((inner, name) => `{ ${JSON.stringify(name)}: ${inner} }`, value)}`
  const { before, after } = line(text, object)
  const start = object.from + 1
  return splice(text, { from: start, to: start }, object.properties.length > 0 ? `${before}${entry},${after}` : `${before}${entry}${after}`)
}

/** What may stand between two parts of an object. */
const gap = /(?:[\s\uFEFF]|\/\/[^\n]*(?:\n|$)|\/\*[^]*?\*\/)*/y

/** The place of the comma behind a place; undefined where there is none before the next part. */
function commaBehind (text: string, place: number): number | undefined {
  const at = past(gap, text, place)
  return text[at] === ',' ? at : undefined
}

/** Takes a property out, with its comma and the blanks before it, and what `setAt` has put around it. Comments stay. */
export function removeAt (text: string, path: Path): string {
  const { object, rest } = descend(text, path)
  const property = propertyOf(object, rest[0])
  if (rest.length !== 1 || property === undefined) return text
  const { from, to } = property
  const before = object.properties[object.properties.indexOf(property) - 1]
  const begin = before?.to ?? object.from + 1
  // Where it is the last one, JSON wants the comma before it to go.
  const comma = commaBehind(text, to) ?? (before && commaBehind(text, begin))
  const between = text.slice(begin, from)
  const blanks = /\/\/[^\n]*\s+$/.test(between) ? 0 : between.length - between.trimEnd().length // what ends a comment's line stays
  const after = object.properties.length === 1 && comma === undefined ? /^\s*(?=\})/.exec(text.slice(to))?.[0] ?? '' : ''
  const cuts = [{ from: from - blanks, to: to + after.length }, ...comma === undefined ? [] : [{ from: comma, to: comma + 1 }]]
  return cuts.sort((a, b) => b.from - a.from).reduce((rest, cut) => splice(rest, cut, ''), text)
}
