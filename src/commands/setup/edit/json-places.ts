import json5 from 'json5'
import { past } from './scan.ts'

/** A value, and the properties that it has where it is an object. All places are UTF-16 units from the text's beginning. */
export interface Place { readonly from: number, readonly to: number, readonly properties?: readonly Property[] }

/** A property from its key to the end of its value. */
export interface Property { readonly key: string, readonly from: number, readonly to: number, readonly value: Place }

// https://spec.json5.org/#grammar
const blank = /(?:[\s\uFEFF]|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)*/y
const string = /"(?:[^"\\]+|\\[^])*"|'(?:[^'\\]+|\\[^])*'/y
const word = /[^\s,:{}[\]"'/\uFEFF]+/y

const next = (text: string, from: number): number => past(blank, text, from)

const atomEnd = (text: string, from: number): number => Math.max(past(string, text, from), past(word, text, from))

/** A key as it is written, without quotes and escapes. */
const nameOf = (source: string): string => /^\w+$/.test(source) ? source : Object.keys(json5.parse<object>(`{${source}:0}`))[0] as string

/** The parts of what is in brackets, each up to the comma or the bracket behind it. @param part gives its end */
function parts (text: string, from: number, part: (at: number) => number): number {
  let at = next(text, from + 1)
  while (!/[\]}]/.test(text.charAt(at))) {
    at = next(text, part(at))
    if (text[at] === ',') at = next(text, at + 1)
  }
  return at + 1
}

function valueAt (text: string, from: number): Place {
  if (text[from] === '[') return { from, to: parts(text, from, at => valueAt(text, at).to) }
  if (text[from] !== '{') return { from, to: atomEnd(text, from) }
  const properties: Property[] = []
  const to = parts(text, from, at => {
    const keyEnd = atomEnd(text, at)
    const value = valueAt(text, next(text, next(text, keyEnd) + 1))
    properties.push({ key: nameOf(text.slice(at, keyEnd)), from: at, to: value.to, value })
    return value.to
  })
  return { from, to, properties }
}

/** Finds where everything is in a text that is known to be JSON5. */
export const placesIn = (text: string): Place => valueAt(text, next(text, 0))
