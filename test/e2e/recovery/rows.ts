import { partOf } from './answer.ts'
import type { Ended } from './play.ts'
import type { StandIn } from './stand-in.ts'

export type Way = 'straight' | 'sidecar'

/** One case of a client on one way, as its user met it. */
export interface Row {
  readonly client: string
  readonly what: string
  readonly way: Way
  /** How much of the answer was shown: all of it, more (a half in front of it), a half, nothing. */
  readonly part: ReturnType<typeof partOf>
  /** Whether the client called it a success. */
  readonly success: boolean
  readonly endless: boolean
  /** Seconds from its first request to its end. */
  readonly seconds: number
  /** Requests of the turn at the upstream, and all requests and upgrades. */
  readonly requests: number
  readonly all: number
  /** Credentials that came to a company they were not meant for. */
  readonly foreign: number
  /** What the user reads beside the answer, or instead of it. */
  readonly text: string
  readonly agent: string
}

/** What an upload's success says instead of an answer. */
export const UPLOADED = 'uploaded file_1'

export function rowOf (client: string, what: string, way: Way, { answer, complaint, success, endless }: Ended, { seen, now }: StandIn): Row {
  const first = seen.find(({ turn }) => turn) ?? seen[0]
  return {
    client, what, way, success, endless,
    part: answer.includes(UPLOADED) ? 'whole' : partOf(answer),
    seconds: Math.round((now() - (first?.at ?? 0)) / 100) / 10,
    requests: seen.filter(({ turn }) => turn).length, all: seen.length, foreign: seen.filter(({ foreign }) => foreign).length,
    text: `${success ? '' : answer}\n${complaint}`.trim().slice(-1500), agent: first?.agent ?? ''
  }
}

/** Whether a person has what was asked for. */
export const answered = ({ part, success }: Row): boolean => success && part.startsWith('whole')
/** Whether a half, or nothing at all, was passed off as the answer. */
export const deceived = ({ part, success }: Row): boolean => success && !part.startsWith('whole')

/** What is worse through us than straight; undefined where nothing is. */
export function worse (straight: Row | undefined, sidecar: Row | undefined): string | undefined {
  if (sidecar === undefined) return undefined
  if (sidecar.foreign > 0) return 'a credential came to a company it was not meant for'
  if (deceived(sidecar)) return `${sidecar.part === 'half' ? 'half an answer' : 'nothing'} as if whole`
  if (straight !== undefined && answered(straight) && !answered(sidecar)) return 'an answer straight, none through us'
  return undefined
}

function outcome (row: Row): string {
  if (row.endless) return '…'
  if (answered(row)) return row.part === 'whole' ? '✓' : '½✓'
  return deceived(row) ? `**${row.part === 'half' ? '½' : '0'} as ✓**` : row.part === 'half' ? '½✗' : '✗'
}

/** What the signs of a cell mean. */
export const LEGEND = '✓ the answer, ½✓ the answer with the half of the try before in front of it, ✗ an error, ½✗ a half and an error, … still at it after two minutes, **½ as ✓** a half passed off as the answer; then seconds from the first request (from the program\'s start where none came through), and requests of the turn at the upstream. Left of the arrow straight, right of it through us; ⚠ where that is worse.'

/** One cell: how it ended, after how long, with how many requests. */
export const cell = (row: Row | undefined): string => row === undefined ? '–' : `${outcome(row)} ${row.seconds.toFixed(1)} s ${row.requests}×`

const byClient = (rows: readonly Row[]): Map<string, Row[]> => {
  const map = new Map<string, Row[]>()
  for (const row of rows) map.set(row.client, [...map.get(row.client) ?? [], row])
  return map
}

const table = (lines: readonly (readonly string[])[]): string => {
  const [head = [], ...rest] = lines
  return [head, head.map(() => '---'), ...rest].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** All rows as one Markdown table: a client a line, a case a column, straight and through us in a cell. */
export function matrix (rows: readonly Row[], cases: readonly string[]): string {
  const some = cases.filter(what => rows.some(row => row.what === what))
  const lines = [...byClient(rows)].map(([client, mine]) => [client, ...some.map(what => {
    const [straight, sidecar] = (['straight', 'sidecar'] as const).map(way => mine.find(row => row.what === what && row.way === way))
    if (straight === undefined && sidecar === undefined) return ''
    const mark = worse(straight, sidecar)
    return `${cell(straight)} → ${cell(sidecar)}${mark === undefined ? '' : ' ⚠'}`
  })])
  return table([['client', ...some], ...lines])
}

const line = (text: string): string => text.replaceAll(/\bhttps?:\/\/127\.0\.0\.1:\d+/g, 'http://…').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '(id)').replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim().slice(-240)

/** What the user reads where there is no answer: a table for those cases. */
export function words (rows: readonly Row[]): string {
  const failed = rows.filter(row => !answered(row))
  const keys = [...new Set(failed.map(({ client, what }) => JSON.stringify([client, what])))].map(key => JSON.parse(key) as [string, string])
  return table([['client', 'case', 'straight', 'through us'], ...keys.map(([client, what]) => [client, what, ...(['straight', 'sidecar'] as const).map(way => {
    const row = rows.find(row => row.client === client && row.what === what && row.way === way)
    return row === undefined ? '–' : answered(row) ? cell(row) : `${cell(row)}: ${line(row.text)}`
  })])])
}
