import { isAlias, isMap, isScalar, isSeq, parseDocument, type CST, type Document, type Pair, type Range, type YAMLMap } from 'yaml'
import { newlineOf } from '../client-config.ts'
import { tableOf, type Table } from '../../../wire/json.ts'
import { EditError } from './error.ts'
import type { Format } from './format.ts'
import { splice, type Path } from './json.ts'
import { past } from './scan.ts'
import { namesIn, valueAt } from './values.ts'

/** A part of a text, in UTF-16 units from its beginning. */
interface Span { readonly from: number, readonly to: number }

const restOfLine = /[^\n]*\n?/y
const blank = /\s*/y

/** Errors without words: those of the parser quote the file. */
const read = (text: string): Document.Parsed => parseDocument(text, { keepSourceTokens: true, prettyErrors: false })

/**
 * What a text of one document means, as Continue reads it: with the version that it names, and 1.2 where it names none.
 * @throws an error with the `line` where the parser stopped; without one where an alias leads nowhere
 */
function parseYaml (text: string): Table {
  const document = read(text)
  const [error] = document.errors
  if (error !== undefined) throw Object.assign(new Error('it is no YAML'), { line: text.slice(0, error.pos[0]).split('\n').length })
  return tableOf(document.toJS())
}

/** The key's own pair, not what a merge (`<<`) brings. */
const pairOf = ({ items }: YAMLMap, key: string | undefined): Pair | undefined => items.find(({ key: name }) => isScalar(name) && name.value === key)

/** The mapping that holds a path's last key, behind all aliases; undefined where there is none. */
function mapAt (text: string, path: Path): YAMLMap | undefined {
  const document = read(text)
  const behind = (node: unknown): unknown => isAlias(node) ? node.resolve(document) : node
  let node = behind(document.contents)
  let content: unknown = document.toJS()
  for (const key of path.slice(0, -1)) {
    if (isSeq(node)) node = behind(node.items[namesIn(content as unknown[]).indexOf(key)])
    else node = isMap(node) ? behind(pairOf(node, key)?.value) : undefined
    content = valueAt(content, [key])
  }
  return isMap(node) ? node : undefined
}

/** Where a node is written, without its anchor and tag, and without the line end that the parser counts to a text of several lines. */
function spanOf (text: string, node: unknown): Span {
  const [from, to] = (node as { range: Range }).range
  return { from, to: from + text.slice(from, to).trimEnd().length }
}

/** The place of a path's value. */
function placeOf (text: string, path: Path): Span | undefined {
  const map = mapAt(text, path)
  const pair = map && pairOf(map, path.at(-1))
  return pair && spanOf(text, pair.value)
}

/** A value's own text; undefined where there is none. */
function yamlSourceAt (text: string, path: Path): string | undefined {
  const place = placeOf(text, path)
  return place && text.slice(place.from, place.to)
}

/**
 * Sets a value. What is not there yet comes behind the provider, on a line of its own, or first in braces, so that no other
 * line is touched.
 * @param text known to be valid
 * @param value its text
 * @throws EditError where something on the way is no mapping, or the key has no value
 */
function setYaml (text: string, path: Path, value: string): string {
  const key = path.at(-1) as string
  const place = placeOf(text, path)
  if (place !== undefined) {
    if (place.from === place.to) throw new EditError(`${path.join('.')} is empty`)
    return splice(text, place, value)
  }
  const map = mapAt(text, path)
  if (map === undefined) throw new EditError(`${path.slice(0, -1).join('.')} is no mapping of its own`)
  if (map.flow === true) {
    const start = spanOf(text, map).from + 1
    const blanks = text.slice(start, past(blank, text, start))
    return splice(text, { from: start, to: start }, `${blanks}${JSON.stringify(key)}: ${value},${blanks === '' ? ' ' : ''}`)
  }
  const neighbour = pairOf(map, 'provider') ?? map.items[0]
  const at = past(restOfLine, text, spanOf(text, neighbour?.value).to)
  const newline = newlineOf(text)
  const line = `${' '.repeat((map.srcToken as CST.BlockMap).indent)}${key}: ${value}`
  return splice(text, { from: at, to: at }, text[at - 1] === '\n' ? `${line}${newline}` : `${newline}${line}`)
}

/** Puts a value's own text back. */
function restoreYaml (text: string, path: Path, source: string): string {
  const place = placeOf(text, path)
  return place === undefined ? text : splice(text, place, source)
}

/** What to cut out of braces: the pair with the blanks before it, and its comma. Comments stay. */
function flowCuts (text: string, { srcToken }: YAMLMap, pair: Pair, { from, to }: Span): Span[] {
  const { items } = srcToken as CST.FlowCollection
  const index = items.indexOf(pair.srcToken as CST.FlowCollection['items'][number])
  const comma = [index, index + 1].flatMap(i => items[i]?.start ?? []).find(({ type }) => type === 'comma')?.offset
  const before = text.slice(0, from)
  const blanks = /#[^\n]*\s+$/.test(before) ? 0 : from - before.trimEnd().length // what ends a comment's line stays
  const added = index === 0 && blanks === 0 && comma !== undefined && text[comma + 1] === ' ' ? 1 : 0
  return [{ from: from - blanks, to }, ...comma === undefined ? [] : [{ from: comma, to: comma + 1 + added }]]
}

/** What to cut out of lines: the pair's own, or up to the next pair where an entry's dash stands before it. */
function blockCut (text: string, { from, to }: Span): Span {
  const start = text.lastIndexOf('\n', from - 1) + 1
  const end = past(restOfLine, text, to)
  if (text.slice(start, from).trim() !== '') return { from, to: past(blank, text, end) }
  return text[end - 1] === '\n' ? { from: start, to: end } : { from: text.slice(0, start).replace(/\r?\n$/, '').length, to: end }
}

/** Takes a pair out. */
function removeYaml (text: string, path: Path): string {
  const map = mapAt(text, path)
  const pair = map && pairOf(map, path.at(-1))
  if (map === undefined || pair === undefined) return text
  const span = { from: spanOf(text, pair.key).from, to: spanOf(text, pair.value).to }
  const cuts = map.flow === true ? flowCuts(text, map, pair, span) : [blockCut(text, span)]
  return cuts.sort((a, b) => b.from - a.from).reduce((rest, cut) => splice(rest, cut, ''), text)
}

/** YAML: what is written is a JSON text, which it takes everywhere. It stands here so that commands that edit none do not wait for its parser. */
export const yaml: Format = {
  parse: parseYaml,
  sourceAt: yamlSourceAt,
  set: (text, path, value) => setYaml(text, path, JSON.stringify(value)),
  restore: restoreYaml,
  remove: removeYaml,
  empty: ''
}
