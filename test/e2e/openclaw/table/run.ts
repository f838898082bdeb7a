import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cache } from '../../cached-package.ts'
import { endProcessesOf } from '../../processes.ts'
import { intoReadme } from '../../readme.ts'
import { playInWorkers } from '../../workers.ts'
import { installOpenClaw, OPENCLAW } from '../installation.ts'
import { cases, type Asker } from './cases.ts'
import type { Row } from './play.ts'
import { keyOf, LEGEND, page, words, worse } from './rows.ts'
import { hasWay, WAYS } from './ways.ts'
import type { Series } from './worker.ts'

// OpenClaw's versions × {/btw, whole turn} × bad tokens and faults × {without, base URL, localService, plugin}: run.ts [--versions REGEXP]
// [--ways REGEXP] [--askers REGEXP] [--cases REGEXP] [--workers 1] [--fresh] [--readme]. Rows that are there are kept unless --fresh, so that what
// was broken off goes on. One gateway for each version and way. --readme puts the table into test/e2e/README.md.

const { values } = parseArgs({ options: {
  versions: { type: 'string', default: '.' }, ways: { type: 'string', default: '.' }, askers: { type: 'string', default: '.' }, cases: { type: 'string', default: '.' },
  workers: { type: 'string', default: '1' }, fresh: { type: 'boolean', default: false }, readme: { type: 'boolean', default: false }
} })
const file = join(cache, 'e2e-openclaw-table.jsonl')
const askers: readonly Asker[] = ['/btw', 'whole turn']
const matches = (pattern: string) => (text: string): boolean => new RegExp(pattern).test(text)

async function rowsSoFar (): Promise<Map<string, Row>> {
  const lines = existsSync(file) ? (await readFile(file, 'utf8')).split('\n').filter(Boolean) : []
  return new Map(lines.map(line => JSON.parse(line) as Row).map(row => [keyOf(row), row]))
}

/** What is still to be played, all of a version and way together. */
async function seriesToPlay (): Promise<Series[]> {
  const known = await rowsSoFar()
  const names = cases.filter(({ name }) => matches(values.cases)(name))
  return OPENCLAW.toReversed().filter(matches(values.versions)).flatMap(version => WAYS.filter(way => matches(values.ways)(way) && hasWay(version, way)).flatMap(way => {
    const wanted = askers.filter(matches(values.askers)).flatMap(asker => names.map(({ name }): [Asker, string] => [asker, name]))
      .filter(([asker, what]) => values.fresh || !known.has(keyOf({ version, way, asker, what })))
    return wanted.length === 0 ? [] : [{ version, way, wanted }]
  }))
}

await mkdir(cache, { recursive: true })
const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-run-'))
try {
  const series = await seriesToPlay()
  for (const version of new Set(series.map(({ version }) => version))) await installOpenClaw(version)
  const failures = await playInWorkers<Row>(series, {
    module: join(import.meta.dirname, 'worker.ts'), count: Number(values.workers), folder,
    take: row => {
      const { version, way, asker, what, outcome, requests, bench, next } = row
      console.log(`${version} | ${way} | ${asker} | ${what} | ${outcome.kind} ${outcome.ms} ms ${requests}× | ${bench === undefined ? '' : `${bench.reason} ${bench.seconds} s`} | next ${next.kind} ${next.ms} ms | ${outcome.kind === 'answer' ? '' : outcome.text.slice(0, 160)}`)
      appendFile(file, `${JSON.stringify(row)}\n`)
    }
  })
  const rows = [...(await rowsSoFar()).values()]
  const bad = rows.filter(({ way }) => way !== 'without').flatMap(row => {
    const mark = worse(rows.find(other => keyOf(other) === keyOf({ ...row, way: 'without' })), row)
    return mark === undefined ? [] : [`${row.version}, ${row.asker}, ${row.what}, ${row.way}: ${mark}`]
  })
  await writeFile(join(cache, 'e2e-openclaw-table.md'), `${page(rows)}\n\n${words(rows)}\n`)
  if (values.readme) await intoReadme('openclaw-table', `${LEGEND}\n\n${page(rows)}`)
  console.log(`\nWritten: .cache/e2e-openclaw-table.md, ${rows.length} rows.\n${[...failures, ...bad].join('\n') || 'Nothing is worse than without.'}`)
  process.exitCode = failures.length + bad.length > 0 ? 1 : 0
} finally {
  endProcessesOf(folder)
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
