import { appendFileSync } from 'node:fs'

/** One case of a client on one way to the upstream, as its user met it. */
export interface Result {
  readonly client: string
  readonly what: string
  /** How the client was called; forms that fare alike share a row. */
  readonly form?: string
  readonly way: 'straight' | 'sidecar'
  /** What the user saw. */
  readonly shown: string
  readonly ms: number
  /** Requests and upgrades at the upstream. */
  readonly requests: number
  /** What else was going on and has not lived through it; undefined where nothing else was. */
  readonly lost?: readonly string[]
}

/** Keeps a result for the table of the whole run; where a file is run by itself there is none. */
export function note (result: Result): void {
  const file = process.env['E2E_RESULTS']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(result)}\n`)
}

/** Characters of a message in a table. */
const WIDTH = 190
/** Ids and times differ in each run. */
const cell = (text: string): string => {
  const line = text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '(id)').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '(time)')
    .replaceAll(/\bhttps?:\/\/127\.0\.0\.1:\d+/g, 'http://…').replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim()
  return line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line
}

interface Pair { readonly client: string, readonly what: string, readonly forms: string[], straight?: Result, sidecar?: Result }

/** Each case with both its ways; those that differ in nothing but form and time become one, with the longest times. */
function pairsOf (results: readonly Result[]): Pair[] {
  const pairs = new Map<string, Pair>()
  for (const result of results) {
    const { client, what, form, way } = result
    const key = JSON.stringify([client, what, form])
    const pair: Pair = pairs.get(key) ?? { client, what, forms: form === undefined || form === '' ? [] : [form] }
    pair[way] = result
    pairs.set(key, pair)
  }
  const merged = new Map<string, Pair>()
  const slower = (a?: Result, b?: Result): Result | undefined => a === undefined || b === undefined || a.ms > b.ms ? a : b
  for (const pair of pairs.values()) {
    const { client, what, forms, straight, sidecar } = pair
    const key = JSON.stringify([client, what, ...[straight, sidecar].map(side => side && [cell(side.shown), side.requests, side.lost])])
    const same = merged.get(key)
    merged.set(key, same === undefined ? pair : { client, what, forms: [...same.forms, ...forms], ...both(slower(same.straight, straight), slower(same.sidecar, sidecar)) })
  }
  return [...merged.values()]
}

const both = (straight?: Result, sidecar?: Result): Pick<Pair, 'straight' | 'sidecar'> =>
  ({ ...(straight && { straight }), ...(sidecar && { sidecar }) })

const sideOf = (result: Result | undefined): string[] => result === undefined
  ? ['–', '', '']
  : [cell(result.shown), (result.ms / 1000).toFixed(1), String(result.requests)]

const lostOf = (result: Result | undefined): string => result === undefined ? '' : (result.lost ?? []).map(cell).join(', ') || 'nothing'

/** The results as one Markdown table, each case without and with codex-sidecar in one row. */
export function comparison (results: readonly Result[]): string {
  const rest = results.some(({ lost }) => lost !== undefined)
  const head = ['client', 'case', 'without: the user sees', 's', 'upstream requests', 'with codex-sidecar: the user sees', 's', 'upstream requests', ...(rest ? ['lost beside it, without', 'with'] : [])]
  const rows = pairsOf(results).map(({ client, what, forms, straight, sidecar }) => [
    cell(client), cell(forms.length === 0 ? what : `${what} (${forms.join(', ')})`),
    ...sideOf(straight), ...sideOf(sidecar), ...(rest ? [lostOf(straight), lostOf(sidecar)] : [])
  ])
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}
