import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { fromRegistry } from './fixtures/install-lines.ts'

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

t.test('nothing that is ours is taken from a registry, where the name is nobody\'s', async t => {
  const files = filesIn('')
  for (const path of ['.ci/run', 'README.md', 'Dockerfile', 'config/compose.yaml', 'config/systemd/codex-sidecar.service', 'src/cli.ts']) t.ok(files.includes(path), path)
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
