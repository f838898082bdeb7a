import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const root = new URL('../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.ts')).sort()
const folders = readdirSync(new URL('src/', root), { recursive: true, withFileTypes: true }).filter(entry => entry.isDirectory())

/** From the ground up, in the order in which a request meets them: a room uses those before it. Files of `src` itself: the clock is beneath all, the others are the roof. */
const rooms = ['config', 'wire', 'answers', 'credential', 'logins', 'upstream', 'verdict', 'telemetry', 'downstream', 'tunnel', 'forward', 'status', 'app']
const ground = ['clock.ts']
const roof = ['commands', 'cli.ts', 'main.ts', 'index.ts']
const storeys = [...ground, ...rooms, ...roof]

/** The storey of a file, by the first part of its path in `src`. */
const storeyOf = (path: string): number => storeys.indexOf(path.split('/')[0] as string)

t.test('a room uses only rooms nearer to the ground', async t => {
  for (const path of sources) {
    t.not(storeyOf(path), -1, `${path} stands in a room`)
    for (const [, target = ''] of read(`src/${path}`).matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      const imported = new URL(target, new URL(`src/${path}`, root)).pathname.replace(/^.*\/src\//, '')
      t.ok(storeyOf(imported) <= storeyOf(path), `${path} imports ${imported}`)
    }
  }
})

t.test('no room is crowded, and each is on the map', async t => {
  const map = read('src/README.md')
  for (const room of rooms) t.match(map, `\`${room}/\``, `src/README.md knows ${room}`)
  for (const { name, parentPath } of folders) {
    const files = readdirSync(new URL(`${name}/`, new URL(`file://${parentPath}/`)), { withFileTypes: true }).filter(entry => entry.isFile())
    t.ok(name === 'commands' || files.length <= 12, `${name} holds ${files.length} files`)
  }
  t.ok(readdirSync(new URL('src/', root), { withFileTypes: true }).filter(entry => entry.isFile()).length <= 5, 'few files stand outside')
})

t.test('Node does not load an undici of its own', async t => {
  for (const path of sources) t.notMatch(read(`src/${path}`), /^import (?!type ).*'node:http'/m, path)
})

t.test('files stay small', async t => {
  const lines = sources.map(path => read(`src/${path}`).split('\n').length).sort((a, b) => a - b)
  t.ok((lines.at(-1) ?? 0) <= 200, `the longest has ${lines.at(-1)} lines`)
  for (const name of readdirSync(new URL('src/status/page/', root))) t.ok(read(`src/status/page/${name}`).split('\n').length <= 200, name)
  t.ok((lines[lines.length >> 1] ?? 0) < 80, `the median has ${lines[lines.length >> 1]} lines`)
})

t.test('no state stands in a module', async t => {
  for (const path of sources) t.notMatch(read(`src/${path}`), /^(?:export )?let /m, path)
})

t.test('the top level holds what it may', async t => {
  const allowed = new Set(['src', 'test', 'config', 'Dockerfile', 'package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist', 'node_modules'])
  t.strictSame(readdirSync(root).filter(name => !name.startsWith('.') && !name.endsWith('.tgz') && !allowed.has(name)), [])
})
