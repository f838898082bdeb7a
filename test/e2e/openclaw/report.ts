import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cache } from './installation.ts'
import type { Row } from './replay.ts'

const COLUMNS = ['OpenClaw', 'helper’s login', 'case', 'way', 'what the helper’s user saw', 's', 'upstream saw', 'gateway', 'connection', 'running turn', 'next turn']
/** Characters of a message in a table. */
const WIDTH = 150

const cell = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim()
  return line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line
}

const cellsOf = (row: Row): string[] => [
  row.version, row.layout === 'same' ? 'the main agent’s' : 'its own', row.name, row.way,
  row.helper.text, (row.helper.ms / 1000).toFixed(1), String(row.requests),
  row.gatewayLived ? 'lives' : 'died', row.connectionLived ? 'lives' : 'lost',
  row.turnComplete ? 'complete' : 'cut', row.nextComplete ? 'works' : row.next.text
]

/** The rows as a Markdown table, each case without and with the sidecar one below the other. */
export function markdown (rows: readonly Row[]): string {
  const key = ({ version, layout, name }: Row): string => `${version} ${layout} ${name}`
  const keys = [...new Set(rows.map(key))]
  const sorted = rows.toSorted((a, b) => keys.indexOf(key(a)) - keys.indexOf(key(b)))
  return [COLUMNS, COLUMNS.map(() => '---'), ...sorted.map(cellsOf)].map(cells => `| ${cells.map(cell).join(' | ')} |`).join('\n')
}

/** Writes table and JSON into the git-ignored cache, and says where. */
export async function writeReport (rows: readonly Row[]): Promise<string[]> {
  await mkdir(cache, { recursive: true })
  const paths = ['md', 'json'].map(ending => join(cache, `openclaw-e2e.${ending}`))
  const [table = '', data = ''] = paths
  await writeFile(table, `Taken on ${new Date().toISOString().slice(0, 10)} with ${process.version}; times are of whatever load the machine had.\n\n${markdown(rows)}\n`)
  await writeFile(data, `${JSON.stringify(rows, null, 2)}\n`)
  return paths
}
