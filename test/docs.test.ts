import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { codes } from '../src/answers/errors.ts'
import { configFlags, loadConfig } from '../src/config/config.ts'
import { fromRegistry } from './fixtures/install-lines.ts'
import { tables } from './fixtures/readme-tables.ts'
import { symptoms } from './fixtures/troubleshooting.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** All files of the project by their paths, without what is made or brought. */
function filesIn (folder: string): string[] {
  const foreign = ['.git/', 'node_modules/', ...read('.gitignore').split('\n')]
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.name === '.git' || foreign.includes(`${entry.name}/`) || path.endsWith('.tgz')) return []
    return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : []
  })
}

/** What users read, and beside it the map of the source. */
const papers = ['README.md', 'config/README.md', 'test/README.md']
const withMap = [...papers, 'src/README.md']

t.test('the papers say what the program does', async t => {
  for (const { file, mark, table } of tables) t.ok(read(file).includes(`<!-- ${mark} -->\n${table()}\n<!-- /${mark} -->`), `the table of ${mark} in ${file} is the program's; npm run readme writes it anew`)
  const config = read('config/README.md')
  for (const flag of configFlags) t.ok(config.includes(`--${flag}`), `--${flag}`)
  t.ok(codes.every(({ code }) => config.includes(`\`${code}\``)))
  const readme = read('README.md')
  t.ok(loadConfig().routes.every(({ prefix }) => readme.includes(prefix)))
})

t.test('what users are said to see is what the program says', async t => {
  const texts = filesIn('src').filter(path => path.endsWith('.ts')).map(path => read(path).replace(/\$\{[^}]+\}/g, '…'))
  for (const { seen, by } of symptoms) {
    const pattern = seen.replace(/127\.0\.0\.1:7257/, '…:…').replace('EADDRINUSE', '…')
    if (by === undefined) t.ok(texts.some(text => text.includes(pattern)), seen)
  }
})

t.test('README.md is read in one sitting', async t => {
  const readme = read('README.md')
  const lines = readme.trimEnd().split('\n').length
  t.ok(lines <= 200, `it has ${lines} lines`)
  t.ok(Buffer.byteLength(readme) <= 16 * 1024, `it has ${Buffer.byteLength(readme)} bytes`)
})

/** Without what only looks like a heading or a link. */
const proseOf = (text: string): string => text.replace(/^```[^]*?^```$/gm, '')

/** The anchors that a page gets for its headings. */
const anchorsOf = (text: string): string[] => [...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
  heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-'))

t.test('every link leads somewhere, in the package too', async t => {
  const { files } = JSON.parse(read('package.json')) as { files: string[] }
  const isPacked = (path: string): boolean => ['README.md', 'LICENSE', 'package.json', ...files].some(packed => path === packed || path.startsWith(`${packed}/`))
  for (const paper of withMap) {
    const links = [...proseOf(read(paper)).replace(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    for (const link of links.filter(link => !/^https?:/.test(link))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? paper : join(dirname(paper), path)
      t.ok(existsSync(join(root, target)), `${paper}: ${link}`)
      if (isPacked(paper)) t.ok(isPacked(target), `${paper}: ${link} is packed`)
      if (anchor !== undefined) t.ok(anchorsOf(read(target)).includes(anchor), `${paper}: ${link} is a heading`)
    }
  }
  for (const paper of papers) t.ok(isPacked(paper), paper)
})

/** Lines, and the sentences of paragraphs, however they are broken into lines. */
const saidIn = (text: string): Set<string> => new Set([
  ...text.split('\n').map(line => line.trim()),
  ...proseOf(text).split(/\n(?=\n|[-|#])/).flatMap(paragraph => paragraph.replace(/\s+/g, ' ').trim().split(/(?<=[.:;]) /))
].filter(said => said.length > 60))

t.test('nothing is said twice', async t => {
  const said = papers.map(paper => ({ paper, all: saidIn(read(paper)) }))
  for (const { paper, all } of said) {
    const others = said.filter(other => other.paper !== paper)
    t.strictSame([...all].filter(words => others.some(other => other.all.has(words))), [], paper)
  }
})

t.test('nothing that is ours is taken from a registry, where the name is nobody\'s', async t => {
  const files = filesIn('')
  for (const path of ['.ci/run', 'README.md', 'Dockerfile', 'config/compose.yaml', 'src/cli.ts']) t.ok(files.includes(path), path)
  for (const path of files) t.strictSame(fromRegistry(read(path)), [], path)
})

t.test('an install line that takes our name from a registry is found', async t => {
  const ours = (line: string): string => line.replaceAll('OURS', 'codex-sidecar') // else this file would be found
  const bad = ['#   all:  sudo npm install --global OURS', '    npm i -g OURS', 'npm install OURS@0.1.0', 'Or: `npx OURS demo`.', 'npx --yes OURS@latest', 'npm exec -- OURS', 'pnpm add -g OURS',
    'pnpm dlx OURS', 'yarn global add OURS', 'bunx OURS', 'npm install --global @someone/OURS', "await exec('npm', ['install', '--global', 'OURS'])", 'cd x && sudo npm i \\\n#   -g OURS',
    'docker pull OURS', 'docker run --rm OURS setup codex', 'docker run -p 127.0.0.1:7257:7257 someone/OURS:latest', 'podman run ghcr.io/someone/OURS', 'FROM OURS AS base',
    'COPY --from=OURS /app /app', 'docker pull OURS && docker build -t other .', '  image: OURS\n  ports: []', '  image: OURS:latest\n  imagePullPolicy: IfNotPresent', 'brew install OURS']
  for (const line of bad) t.equal(fromRegistry(ours(line)).length, 1, line)
  const good = ['npm ci && npm install --global "$(npm pack --silent)"   # puts OURS on your PATH', 'npm install --global ./OURS-0.1.0.tgz', 'npm install --global OURS-0.1.0.tgz',
    'docker build -t OURS . && docker run -p 127.0.0.1:7257:7257 OURS', 'docker run --pull=never OURS', 'docker compose run --rm OURS setup openclaw', 'docker run node:24 npm test',
    '  image: OURS\n  pull_policy: build', '  image: OURS:latest\n  imagePullPolicy: Never', 'systemctl reload OURS', 'import { buildApp } from "OURS"']
  for (const line of good) t.strictSame(fromRegistry(ours(line)), [], line)
})
