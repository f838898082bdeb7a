import type { Test } from 'tap'

type Cell = string | number

/** Rows of measured values, printed as TAP comments in columns. */
export class Table {
  readonly #rows: Cell[][]

  constructor (...columns: string[]) { this.#rows = [columns] }

  add (...cells: Cell[]): void { this.#rows.push(cells) }

  print (t: Pick<Test, 'comment'>): void {
    const rows = this.#rows.map(row => row.map(String))
    const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)))
    for (const row of rows) t.comment(row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ').trimEnd())
  }
}
