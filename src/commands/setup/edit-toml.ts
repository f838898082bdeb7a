/** A key above all tables, and the quoted value behind it. */
const lineOf = (key: string): RegExp => new RegExp(`^([\\t ]*${key}[\\t ]*=[\\t ]*)("(?:[^"\\\\\\r\\n]|\\\\.)*"|'[^'\\r\\n]*')`, 'm')

/** Where the first table begins; there top-level keys end. */
function topOf (text: string): number {
  const at = /^[\t ]*\[/m.exec(text)?.index
  return at ?? text.length
}

/** The text of a top-level string; undefined where there is none. */
export const tomlSourceAt = (text: string, key: string): string | undefined => lineOf(key).exec(text.slice(0, topOf(text)))?.[2]

/** Sets a top-level string: in its line, or in a new one above the first line that is neither empty nor a comment. */
export function setToml (text: string, key: string, value: string): string {
  const top = topOf(text)
  const head = text.slice(0, top)
  if (lineOf(key).test(head)) return head.replace(lineOf(key), (_, before: string) => before + value) + text.slice(top)
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const at = /^(?![\t ]*(?:#|\r?$))/m.exec(text)?.index ?? text.length
  const open = at > 0 && text[at - 1] !== '\n' ? newline : ''
  return `${text.slice(0, at)}${open}${key} = ${value}${newline}${text.slice(at)}`
}

/** Takes a top-level string's line out. */
export function removeToml (text: string, key: string): string {
  const top = topOf(text)
  return text.slice(0, top).replace(new RegExp(`${lineOf(key).source}[^\\n]*(?:\\n|$)`, 'm'), '') + text.slice(top)
}
