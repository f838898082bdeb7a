import type { Test } from 'tap'
import type { Way } from './both-ways.ts'
import { note } from './results.ts'
import { Table } from './table.ts'

/** How a call of an SDK ended: with the text it got, or with what it threw. */
export interface Outcome { readonly text?: string, readonly error?: unknown, readonly sent: number, readonly saw: number }

interface Row { cells: [what: string, way: string, sent: number, saw: number, shown: string], forms: Set<string>, slowest: number }

/** Calls of an SDK with their measured values; forms of a call that fare alike share a row. */
export class SdkCalls {
  readonly #client: string
  readonly #rows = new Map<string, Row>()

  /** @param client whose calls they are, for the table of the run */
  constructor (client: string) { this.#client = client }

  /** Makes one call on one way to the upstream and counts its requests on both sides. */
  async make (what: string, form: string, way: Way, call: () => Promise<string>): Promise<Outcome> {
    const before = { requests: way.requests, seen: way.upstream.seen.length }
    const started = performance.now()
    const ended = await call().then(text => ({ text }), (error: unknown) => ({ error }))
    const ms = Math.round(performance.now() - started)
    const sent = way.requests - before.requests
    const saw = way.upstream.seen.length - before.seen
    this.#keep([what, way.name, sent, saw, shown(ended)], form, ms)
    note({ client: this.#client, what, form, way: way.name, shown: shown(ended), ms, requests: saw })
    return { ...ended, sent, saw }
  }

  print (t: Pick<Test, 'comment'>): void {
    const table = new Table('case', 'way', 'sent', 'upstream saw', 'ms at most', 'form', 'what the caller gets')
    for (const { cells: [what, way, sent, saw, shown], forms, slowest } of this.#rows.values()) {
      table.add(what, way, sent, saw, slowest, [...forms].join(', '), shown)
    }
    table.print(t)
  }

  #keep (cells: Row['cells'], form: string, ms: number): void {
    const key = JSON.stringify(cells)
    const row = this.#rows.get(key) ?? { cells, forms: new Set(), slowest: 0 }
    row.forms.add(form)
    row.slowest = Math.max(row.slowest, ms)
    this.#rows.set(key, row)
  }
}

/** In one line; request ids are left out, they differ each time. */
function shown (ended: { text: string } | { error: unknown }): string {
  if ('text' in ended) return `success: "${ended.text}"`
  const { error } = ended
  return error instanceof Error ? `${error.constructor.name}: ${error.message.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '(id)')}` : 'no error object'
}
