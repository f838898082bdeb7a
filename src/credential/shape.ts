import { hash, randomBytes } from 'node:crypto'
import { valuesOf } from '../wire/headers.ts'

/**
 * The header fields of a request on which an upstream's judgement of its credential may depend (design.md section 3),
 * as a keyed digest: some of them can be secrets themselves. Empty where the request has none of them.
 */
export type Shape = string & { readonly shape: unique symbol }

/** Hex digits of a digest that are kept: shapes of one token are few. */
const DIGITS = 16

/** The fields as one text, each value with its name; lengths in front, so that no two lists read the same. */
function wordsOf (raw: readonly string[], fields: readonly string[]): string {
  let words = ''
  for (const field of fields) for (const value of valuesOf(raw, field)) words += `${field} ${value.length} ${value}\n`
  return words
}

/**
 * Makes the reader of shapes.
 * @param key of the digests; a random one for each process
 */
export function createShapeReader (key: string = randomBytes(32).toString('hex')) {
  const none = '' as Shape
  let last = { words: '', shape: none }
  return function shapeOf (raw: readonly string[], fields: readonly string[]): Shape {
    const words = wordsOf(raw, fields)
    if (words === '') return none
    if (words === last.words) return last.shape
    const shape = hash('sha256', key + words).slice(0, DIGITS) as Shape
    last = { words, shape }
    return shape
  }
}

export type ShapeReader = ReturnType<typeof createShapeReader>
