import type { Row } from './play.ts'
import { cases } from './cases.ts'
import { hasWay, WAYS, type Way } from './ways.ts'

export const LEGEND = '✓ the answer, **½ as ✓** a part of it as if it were all, ✗ an error, … nothing within a minute (a whole turn with a fault for good: three); then seconds, requests at the upstream (in brackets with those that hold no turn, where there are more); "benched": for how long OpenClaw leaves the login alone; "next" the next turn, once all is well and the login is signed in again: seconds, or ✗. ⚠ is worse than without.'

type Cell = Pick<Row, 'version' | 'way' | 'asker' | 'what'>
export const keyOf = ({ version, way, asker, what }: Cell): string => JSON.stringify([version, way, asker, what])

const answered = ({ outcome, whole }: Row): boolean => outcome.kind === 'answer' && whole
/** A part of the answer taken for all of it: whoever does so asks no more. */
const misled = ({ outcome, whole }: Row): boolean => outcome.kind === 'answer' && !whole
const works = ({ next }: Row): boolean => next.kind === 'answer'
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** What is worse than without; undefined where nothing is. One request more is the replay on a kept connection that ended without a byte. */
export function worse (without: Row | undefined, row: Row): string | undefined {
  if (!row.alive) return 'the gateway or its client is gone'
  if (misled(row)) return 'a part as if it were all'
  if (without === undefined) return undefined
  if (answered(without) && !answered(row)) return 'an answer without, none with it'
  if (works(without) && !works(row)) return 'the next turn fails'
  if ((row.bench?.seconds ?? 0) > (without.bench?.seconds ?? 0) + 5) return 'the login is benched for longer'
  if (row.requests > without.requests + 1 && !answered(row) && !misled(without)) return 'more requests to no avail'
  return undefined
}

function sign (row: Row): string {
  if (row.outcome.kind === 'silence') return '…'
  if (row.outcome.kind === 'error') return '✗'
  return row.whole ? '✓' : '**½ as ✓**'
}

function cell (row: Row | undefined, without: Row | undefined): string {
  if (row === undefined) return '–'
  const { outcome, requests, all, bench, next, alive } = row
  return [
    `${sign(row)} ${seconds(outcome.ms)} ${requests}×${all > requests ? ` (${all})` : ''}`,
    ...bench === undefined ? [] : [`benched ${bench.seconds} s`],
    `next ${works(row) ? seconds(next.ms) : '✗'}`,
    ...alive ? [] : ['**gateway gone**']
  ].join(', ') + (row.way !== 'without' && worse(without, row) !== undefined ? ' ⚠' : '')
}

const table = (lines: readonly (readonly string[])[]): string => {
  const [head = [], ...rest] = lines
  return [head, head.map(() => '---'), ...rest].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const plain = (text: string): string => text.replaceAll(/\bhttps?:\/\/127\.0\.0\.1:\d+/g, 'http://…').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '(id)').replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim().slice(0, 260)

/** All rows, a table for each version and asker: a case a line, a way a column. */
export function page (rows: readonly Row[]): string {
  const known = new Map(rows.map(row => [keyOf(row), row]))
  const groups = [...new Map(rows.map(({ version, asker }) => [`${version}, ${asker}`, { version, asker }])).values()]
  return groups.map(({ version, asker }) => {
    const ways = WAYS.filter(way => hasWay(version, way))
    const find = (way: Way, what: string): Row | undefined => known.get(keyOf({ version, way, asker, what }))
    const lines = cases.filter(({ name }) => ways.some(way => find(way, name) !== undefined)).map(({ name }) =>
      [name, ...ways.map(way => cell(find(way, name), find('without', name)))])
    return `**OpenClaw ${version}, ${asker}**\n\n${table([['case', ...ways], ...lines])}`
  }).join('\n\n')
}

/** What a person reads where there is no answer. */
export function words (rows: readonly Row[]): string {
  const lines = rows.filter(row => !answered(row)).map(({ version, way, asker, what, outcome, next }) =>
    [version, asker, what, way, plain(outcome.text), next.kind === 'answer' ? '' : plain(next.text)])
  return table([['OpenClaw', 'asker', 'case', 'way', 'read', 'read of the next turn'], ...lines])
}
