import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { configFlags, loadConfig } from '../src/config.ts'
import { codes } from '../src/errors.ts'
import { matrixTable } from './fixtures/matrix.ts'
import { answersTable, optionsTable, symptomsTable } from './fixtures/readme-tables.ts'
import { symptoms } from './fixtures/troubleshooting.ts'

const root = new URL('../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.ts')).sort()

/** From the inside out; a file may import from its own layer and from those before it. */
const layers: readonly (readonly string[])[] = [
  ['errors', 'headers', 'sse', 'frames', 'json-schema', 'options', 'option-formats', 'options-check', 'config', 'config-files', 'conformance', 'setup-lines', 'package-files', 'memory', 'node-http'],
  ['credential'],
  ['verdict', 'verdict-entry'],
  ['connection-credential', 'validators', 'jwks', 'suspicion', 'verdict-cache', 'verdict-listing', 'upstream', 'circuit', 'failure', 'standard-output', 'log', 'rejection'],
  ['error-handler', 'response-body', 'plain-body', 'event-stream-body', 'batch', 'relay', 'record', 'traces', 'loop', 'refusals', 'journal', 'outbox', 'request-id', 'stopwatch', 'tally', 'verdict-metrics', 'latency-metrics', 'upstream-metrics', 'process-metrics', 'access-log', 'upload', 'drain', 'tunnel', 'pipeline', 'upgrade', 'prober'],
  ['switching-protocols'],
  ['metrics'],
  ['generation'],
  ['guard', 'error-body', 'exchange', 'forward', 'client-error'],
  ['status', 'status-page', 'status-paths', 'health'],
  ['app'],
  ['listener'],
  ['index'],
  ['commands'],
  ['cli'],
  ['main']
]

const layerOf = (path: string): number => {
  const name = path.replace(/\.ts$/, '')
  return layers.findIndex(layer => layer.some(entry => entry === name || name.startsWith(`${entry}/`)))
}

t.test('imports point inward only', async t => {
  for (const path of sources) {
    t.not(layerOf(path), -1, `${path} has its layer`)
    for (const [, target = ''] of read(`src/${path}`).matchAll(/from '(\.[^']+)'/g)) {
      const imported = new URL(target, new URL(`src/${path}`, root)).pathname.replace(/^.*\/src\//, '')
      t.ok(layerOf(imported) <= layerOf(path), `${path} imports ${imported}`)
    }
  }
})

t.test('Node does not load an undici of its own', async t => {
  for (const path of sources) t.notMatch(read(`src/${path}`), /^import (?!type ).*'node:http'/m, path)
})

t.test('files stay small', async t => {
  const lines = sources.map(path => read(`src/${path}`).split('\n').length).sort((a, b) => a - b)
  t.ok((lines.at(-1) ?? 0) <= 200, `the longest has ${lines.at(-1)} lines`)
  for (const name of readdirSync(new URL('src/status-page/', root))) t.ok(read(`src/status-page/${name}`).split('\n').length <= 200, name)
  t.ok((lines[lines.length >> 1] ?? 0) < 80, `the median has ${lines[lines.length >> 1]} lines`)
})

t.test('no state stands in a module', async t => {
  for (const path of sources) t.notMatch(read(`src/${path}`), /^(?:export )?let /m, path)
})

t.test('README says what the program does', async t => {
  const readme = read('README.md')
  t.ok(readme.includes(optionsTable()), 'the options table is the schema; npm run readme writes it anew')
  t.ok(readme.includes(answersTable()), 'the answers table is the list of codes; npm run readme writes it anew')
  t.ok(readme.includes(symptomsTable()), 'the troubleshooting table is that of the fixtures; npm run readme writes it anew')
  t.ok(readme.includes(matrixTable()), 'the matrix is the table of the tests; npm run readme writes it anew')
  for (const flag of configFlags) t.ok(readme.includes(`--${flag}`), `--${flag}`)
  t.ok(codes.every(({ code }) => readme.includes(`\`${code}\``)))
  t.ok(loadConfig().routes.every(({ prefix }) => readme.includes(prefix)))
})

t.test('what users are said to see is what the program says', async t => {
  const texts = sources.map(path => read(`src/${path}`).replace(/\$\{[^}]+\}/g, '…'))
  for (const { seen, by } of symptoms) {
    const pattern = seen.replace(/127\.0\.0\.1:7257/, '…:…').replace('EADDRINUSE', '…')
    if (by === undefined) t.ok(texts.some(text => text.includes(pattern)), seen)
  }
})

t.test('the top level holds what it may', async t => {
  const allowed = new Set(['src', 'test', 'config', 'Dockerfile', 'package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist', 'node_modules'])
  t.strictSame(readdirSync(root).filter(name => !name.startsWith('.') && !name.endsWith('.tgz') && !allowed.has(name)), [])
})
