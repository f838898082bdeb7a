import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cache } from './cached-package.ts'
import { CODEX, installCodex } from './codex-binary.ts'
import { installOpenClaw, OPENCLAW } from './openclaw/installation.ts'
import { ownNamespace } from './own-namespace.ts'
import { installPiAi, PI_AI } from './pi-ai.ts'
import { processesOf } from './processes.ts'
import { comparison, type Result } from './results.ts'

// Real clients without and with codex-sidecar: openclaw [VERSION...], codex or sdk. What a run needs is installed first.
// Then it has no network but loopback, and a temporary folder that has to be empty at the end.

interface Run {
  readonly install: () => Promise<unknown>
  /** Test files beside this one. */
  readonly files: readonly string[]
  /** The clients with their versions. */
  readonly clients: readonly string[]
  /** Folders outside the temporary one that the clients write into, whatever they are told. */
  readonly stubborn?: readonly string[]
}

const root = join(import.meta.dirname, '..', '..')
const [name = '', ...named] = process.argv.slice(2)
const versions = named.length > 0 ? named : OPENCLAW

async function dependency (name: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }
  return `${name} ${version}`
}

const runs: Readonly<Record<string, Run>> = {
  openclaw: {
    install: async () => { for (const version of versions) await installOpenClaw(version) },
    files: ['openclaw.e2e.ts', 'openclaw-plugin.e2e.ts'],
    clients: versions.map(version => `OpenClaw ${version}`),
    stubborn: ['/tmp/openclaw', '/tmp/openclaw-state-locks-0'] // in its namespace it is always user 0
  },
  codex: {
    install: installCodex,
    files: ['codex.e2e.ts', 'codex-websocket.e2e.ts', 'codex-faults.e2e.ts'],
    clients: [`Codex CLI ${CODEX}`]
  },
  sdk: {
    install: installPiAi,
    files: ['openai.e2e.ts', 'openai-websocket.e2e.ts', 'anthropic.e2e.ts', 'pi-ai.e2e.ts'],
    clients: [await dependency('openai'), await dependency('@anthropic-ai/sdk'), `@mariozechner/pi-ai ${PI_AI}`]
  }
}

/** Runs the files; their exit code. */
async function play ({ files, stubborn = [] }: Run, folder: string, results: string): Promise<number> {
  const strange = stubborn.filter(folder => !existsSync(folder))
  const namespace = ownNamespace(stubborn)
  console.log(namespace === undefined
    ? `This machine allows no namespaces of one's own: only the traps for what leaves loopback stand guard${stubborn.map(folder => `, and ${folder} may keep something`).join('')}.`
    : 'In a network namespace of its own: nothing but loopback can be reached.')
  const tap = [join(root, 'node_modules', '.bin', 'tap'), '--disable-coverage', '--jobs=1', '--reporter=tap', ...files.map(file => join('test', 'e2e', file))]
  const [program = '', ...rest] = [...namespace ?? [], ...tap]
  const child = spawn(program, rest, {
    cwd: root, stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TMPDIR: folder, E2E_RESULTS: results, OPENCLAW_VERSIONS: versions.join(), NODE_DISABLE_COMPILE_CACHE: '1', DISABLE_V8_COMPILE_CACHE: '1' }
  })
  const [code] = await once(child, 'close') as [number | null]
  for (const folder of strange) await rmdir(folder).catch(() => {}) // made to be hidden, and empty; or somebody else's by now
  return code ?? 1
}

/** Plays a run and writes its table. */
async function main (name: string, run: Run): Promise<number> {
  await run.install()
  const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-run-'))
  const results = join(cache, `e2e-${name}.jsonl`)
  await rm(results, { force: true })
  try {
    const code = await play(run, folder, results)
    const left = [...await readdir(folder), ...processesOf(folder)]
    const rows = existsSync(results) ? (await readFile(results, 'utf8')).trim().split('\n').map(line => JSON.parse(line) as Result) : []
    const taken = { date: new Date().toISOString().slice(0, 10), node: process.version, clients: run.clients }
    const page = `Taken on ${taken.date} on Node ${taken.node} with ${run.clients.join(', ')}; times are of whatever load the machine had.\n\n${comparison(rows)}\n`
    await writeFile(join(cache, `e2e-${name}.md`), page)
    await writeFile(join(cache, `e2e-${name}.json`), `${JSON.stringify({ ...taken, rows }, null, 2)}\n`)
    console.log(`\n${page}\nIt left behind: ${left.join(', ') || 'nothing'}. Written: .cache/e2e-${name}.md and .json`)
    return left.length > 0 ? 1 : code
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    await rm(results, { force: true })
  }
}

const run = runs[name]
if (run === undefined) {
  console.error(`Which one? ${Object.keys(runs).join(', ')}`)
  process.exitCode = 2
} else process.exitCode = await main(name, run)
