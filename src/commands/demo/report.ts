import { PAUSES } from './helper.ts'
import type { Session } from './session.ts'
import { BEAT, EVENTS, REFUSAL } from './stand-in.ts'
import { HELPERS, type Helpers, type Trial } from './trial.ts'

/** One line of the table; without a cell it is the title of those that follow. */
type Row = readonly [label: string, cell?: (trial: Trial) => string]

/** Two digits: such a measurement is worth no more. */
const ms = (time: number): string => `${Number(time.toPrecision(2))} ms`

/** The middle one by size, so that one straggler does not speak for all. */
function median (times: readonly number[]): number {
  const [middle = 0] = [...times].sort((a, b) => a - b).slice(times.length >> 1)
  return middle
}

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)]
const answersTo = ({ runs }: Helpers) => runs.flatMap(({ answers }) => answers)

const helperRows = (token: string, of: (trial: Trial) => Helpers): Row[] => [
  [`${HELPERS} helpers with ${token}`],
  ['  answers', trial => {
    const statuses = answersTo(of(trial)).map(({ status }) => status)
    return `${statuses.length} x ${distinct(statuses).join(', ')}`
  }],
  ['  one answer takes (median)', trial => ms(median(answersTo(of(trial)).map(({ took }) => took)))],
  ['  all have given up after', trial => ms(Math.max(...of(trial).runs.map(({ took }) => took)))],
  ['  requests at the upstream', trial => String(of(trial).upstreamRequests)]
]

const extent = ({ events, completed }: Session): string => `${events} of ${EVENTS}${completed ? ', complete' : ''}`

const rows: readonly Row[] = [
  ...helperRows('an expired JWT', ({ expired }) => expired),
  ...helperRows('a revoked token', ({ revoked }) => revoked),
  ['Connections closed on the clients', ({ closed }) => String(closed)],
  ['Live session beside them'],
  ['  events', ({ live }) => extent(live)],
  [`  longest gap (sent every ${BEAT} ms)`, ({ live }) => ms(live.longestGap)],
  ['Stream that the upstream cuts'],
  ['  events', ({ cut }) => extent(cut)],
  ['  its client reports', ({ cut }) => cut.failure === undefined ? 'success' : `failed: ${cut.failure.code}`]
]

const line = (label: string, cells: readonly string[]): string =>
  `${label.padEnd(36)}${cells.map(cell => cell.padEnd(21)).join('')}`.trimEnd()

/** Text broken at spaces, so that it fits behind its label. */
function paragraph (label: string, text: string): string {
  const lines = [...text.matchAll(/(\S.{0,65})(?:\s|$)/g)].map(([, part]) => part)
  return `  ${label.padEnd(9)}${lines.join(`\n${' '.repeat(11)}`)}`
}

/** What the users get to read, each text once. */
const told = ({ expired, revoked, cut }: Trial): string[] =>
  distinct([...expired.runs, ...revoked.runs, ...cut.failure === undefined ? [] : [cut.failure]].map(({ message }) => message))

/** What was measured, for a terminal of 80 columns. */
export function report (without: Trial, beside: Trial): string {
  return [
    `Stand-in upstream on loopback: a bad token gets its 401 after ${REFUSAL} ms, with`,
    "Connection: close. The helpers repeat a 401 as OpenClaw's /btw does, but wait",
    `${PAUSES.join(', ')} ms, a tenth of its times. Everything below was measured just now.`,
    '',
    line('', ['without', 'with codex-sidecar']),
    ...rows.map(([label, cell]) => line(label, cell === undefined ? [] : [cell(without), cell(beside)])),
    '',
    'What the users read',
    ...told(without).map(text => paragraph('without', text)),
    ...told(beside).map(text => paragraph('with', text)),
    ''
  ].join('\n')
}
