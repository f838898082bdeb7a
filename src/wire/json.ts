/** Levels that what is read here may have: errors and claims have four. To build tens of thousands of them holds everybody up. */
const DEPTH = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Whether a text nests no deeper than what is read, for a hundredth of what it costs to build it. */
function isShallow (text: string): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) quoted = !quoted
    else if (quoted) at += code === BACKSLASH ? 1 : 0
    else if (code === 0x5b || code === 0x7b) { // [ {
      if (++depth > DEPTH) return false
    } else if (code === 0x5d || code === 0x7d) depth-- // ] }
  }
  return true
}

/** A text's JSON value, if it is one and does not nest deeper than anything that is read. How long it may be is the caller's to say. */
export function jsonValue (text: string): unknown {
  if (!isShallow(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The same, if it is an object. */
export function jsonObject (text: string): Readonly<Record<string, unknown>> | undefined {
  const value = jsonValue(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Readonly<Record<string, unknown>> : undefined
}

/** A JSON object, or another format’s like it. */
export type Table = Readonly<Record<string, unknown>>

/** A value where it is a table, or else an empty one. */
export const tableOf = (value: unknown): Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Table : {}

/** A value where it is a text that is not empty. */
export const textOf = (value: unknown): string | undefined => typeof value === 'string' && value !== '' ? value : undefined
