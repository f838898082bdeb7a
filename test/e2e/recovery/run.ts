import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cache, cachedPackages, nodeBinary } from '../cached-package.ts'
import { endProcessesOf } from '../processes.ts'
import { intoReadme } from '../readme.ts'
import { playInWorkers } from '../workers.ts'
import { sets } from './cases.ts'
import { clients } from './clients/all.ts'
import { LEGEND, matrix, words, worse, type Row, type Way } from './rows.ts'
import type { Series } from './worker.ts'

// Real clients × faults × {straight, through us}: run.ts [--set recovery] [--clients REGEXP] [--cases REGEXP] [--ways straight,sidecar]
// [--workers 2] [--fresh | --missing] [--readme]. What a client needs is installed first. Then there is no network but loopback. Rows taken straight
// before are kept, unless --fresh; those through us are taken anew, unless --missing. --readme puts the table into test/e2e/README.md.

const { values } = parseArgs({ options: {
  set: { type: 'string', default: 'recovery' }, clients: { type: 'string', default: '.' }, cases: { type: 'string', default: '.' },
  ways: { type: 'string' }, workers: { type: 'string', default: '2' }, fresh: { type: 'boolean', default: false },
  missing: { type: 'boolean', default: false }, readme: { type: 'boolean', default: false }
} })
const { set, fresh, missing } = values
const ways = (values.ways ?? (set === 'endings' || set === 'sockets' ? 'straight' : 'straight,sidecar')).split(',') as Way[]
const all = sets[set] ?? []
const chosen = clients.filter(({ name }) => new RegExp(values.clients).test(name))
const names = all.map(({ name }) => name).filter(name => new RegExp(values.cases).test(name))
const file = join(cache, `e2e-${set}.jsonl`)

const keyOf = ({ client, what, way }: Pick<Row, 'client' | 'what' | 'way'>): string => JSON.stringify([client, what, way])

async function rowsSoFar (): Promise<Map<string, Row>> {
  const lines = existsSync(file) ? (await readFile(file, 'utf8')).split('\n').filter(Boolean) : []
  return new Map(lines.map(line => JSON.parse(line) as Row).map(row => [keyOf(row), row]))
}

/** What is still to be played, each client's cases on one way together: some have a gateway to start. */
async function seriesToPlay (): Promise<Series[]> {
  const known = await rowsSoFar()
  const node = await nodeBinary()
  const series: Series[] = []
  for (const { name, packages, upload } of chosen) {
    const modules = await cachedPackages(packages, node)
    for (const way of ways) {
      const cases = names.filter(what => ((way === 'sidecar' && !missing) || fresh || !known.has(keyOf({ client: name, what, way }))) &&
        (upload !== undefined || all.find(({ name }) => name === what)?.upload !== true))
      if (cases.length > 0) series.push({ set, client: name, way, cases, modules, node })
    }
  }
  return series
}

await mkdir(cache, { recursive: true })
const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-run-'))
try {
  const failures = await playInWorkers<Row>(await seriesToPlay(), {
    module: join(import.meta.dirname, 'worker.ts'), count: Number(values.workers), folder,
    take: row => {
      console.log(`${row.client} | ${row.what} | ${row.way} | ${row.part}, ${row.success ? 'success' : 'error'}, ${row.seconds} s, ${row.requests}×`)
      appendFile(file, `${JSON.stringify(row)}\n`)
    }
  })
  const rows = [...(await rowsSoFar()).values()].sort((a, b) => clients.findIndex(({ name }) => name === a.client) - clients.findIndex(({ name }) => name === b.client))
  await writeFile(file, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  const bad = rows.filter(({ way }) => way === 'sidecar').flatMap(row => {
    const mark = worse(rows.find(({ client, what, way }) => client === row.client && what === row.what && way === 'straight'), row)
    return mark === undefined ? [] : [`${row.client}, ${row.what}: ${mark}`]
  })
  const page = `${matrix(rows, all.map(({ name }) => name))}\n\n${words(rows)}\n`
  await writeFile(join(cache, `e2e-${set}.md`), page)
  if (values.readme) await intoReadme(set, `${LEGEND}\n\n${matrix(rows, all.map(({ name }) => name))}`)
  console.log(`\nWritten: .cache/e2e-${set}.md, ${rows.length} rows.\n${[...failures, ...bad].join('\n') || 'Nothing is worse through us.'}`)
  process.exitCode = failures.length + bad.length > 0 ? 1 : 0
} finally {
  endProcessesOf(folder)
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
