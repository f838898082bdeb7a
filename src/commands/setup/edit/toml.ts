import { newlineOf } from '../client-config.ts'
import { past } from './scan.ts'

/** A key above all tables, as it is written, and the places of it and of its value. */
interface Statement { readonly key: string, readonly from: number, readonly value: number, readonly to: number }

// https://toml.io/en/v1.0.0#string: those over several lines may end with one or two quotes of their own.
const string = /"""(?:[^\\]|\\[^])*?"""(?!")|'''[^]*?'''(?!')|"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'/y
const blank = /(?:[\t \r\n]|#[^\n]*)*/y
const blanks = /[\t ]*/y
const keys = /(?:"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'|[\w-]+|[\t ]*\.[\t ]*)+/y
const rest = /[^\n]*\n?/y

/** Where a value ends: strings, comments and what is in brackets may hold anything. */
function valueEnd (text: string, from: number): number {
  let depth = 0
  let end = from
  for (let at = from; at < text.length;) {
    const afterString = past(string, text, at)
    const char = text.charAt(at)
    if (afterString > at) end = at = afterString
    else if (depth === 0 && /[#\r\n]/.test(char)) break
    else if (char === '#') at = past(blank, text, at)
    else {
      depth += '[{'.includes(char) ? 1 : ']}'.includes(char) ? -1 : 0
      if (!/\s/.test(char)) end = at + 1
      at++
    }
  }
  return end
}

/** The statements above the first table of a text that is known to be valid. */
function * statements (text: string): Generator<Statement> {
  for (let from = past(blank, text, 0); from < text.length && text[from] !== '[';) {
    const name = past(keys, text, from)
    const value = past(blanks, text, text.indexOf('=', name) + 1)
    const to = valueEnd(text, value)
    yield { key: text.slice(from, name).replace(/^(["'])(.*)\1$/, '$2'), from, value, to }
    from = past(blank, text, to)
  }
}

function find (text: string, key: string): Statement | undefined {
  for (const statement of statements(text)) if (statement.key === key) return statement
  return undefined
}

/** The text of a top-level value; undefined where there is none. */
export function tomlSourceAt (text: string, key: string): string | undefined {
  const statement = find(text, key)
  return statement && text.slice(statement.value, statement.to)
}

/** Sets a top-level value: in its line, or in a new one above the first line that is neither empty nor a comment. */
export function setToml (text: string, key: string, value: string): string {
  const old = find(text, key)
  if (old !== undefined) return text.slice(0, old.value) + value + text.slice(old.to)
  const newline = newlineOf(text)
  const at = /^(?![\t ]*(?:#|\r?$))/m.exec(text)?.index ?? text.length
  const open = at > 0 && text[at - 1] !== '\n' ? newline : ''
  return `${text.slice(0, at)}${open}${key} = ${value}${newline}${text.slice(at)}`
}

/** Takes a top-level value out, with its lines. */
export function removeToml (text: string, key: string): string {
  const old = find(text, key)
  if (old === undefined) return text
  const start = text.lastIndexOf('\n', old.from - 1) + 1
  return text.slice(0, start) + text.slice(past(rest, text, old.to))
}
