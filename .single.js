// Makes .cache/single/codex-sidecar: one executable that needs no Node, since it holds the one that runs this script
// (https://nodejs.org/api/single-executable-applications.html). It is of this system and processor only.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
const folder = join('.cache', 'single')
const file = name => join(folder, name)
const executable = file(process.platform === 'win32' ? 'codex-sidecar.exe' : 'codex-sidecar')
const [major, minor] = process.versions.node.split('.').map(Number)
/** Whether Node makes such files whole by itself. */
const byNode = major > 25 || major === 25 && minor >= 5
const run = (...args) => { execFileSync(...args, { stdio: ['ignore', 'ignore', 'inherit'] }) }

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

/** What the command looks for beside itself has to be inside; what else it asks for is beside the executable. */
const inside = {
  name: 'inside',
  setup ({ onResolve, onLoad }) {
    onResolve({ filter: /^node:module$/ }, ({ namespace }) => namespace === 'inside' ? undefined : { path: 'module', namespace: 'inside' })
    onLoad({ filter: /./, namespace: 'inside' }, () => ({
      resolveDir: '.',
      contents: `
        import { createRequire as create } from 'node:module'
        export function createRequire (place) {
          const find = create(place)
          return Object.assign(name => name === 'pino-pretty' ? require('pino-pretty') : find(name), { resolve: find.resolve })
        }`
    }))
  }
}

await build({
  entryPoints: ['dist/main.js'], // what .build.js has made of the sources
  outfile: file('main.cjs'),
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs', // Node 20 and 22 take no modules here
  minifyWhitespace: true,
  lineLimit: 160,
  define: { 'import.meta.url': 'ownPlace' },
  banner: { js: 'const ownPlace = require("node:url").pathToFileURL(process.execPath).href' },
  plugins: [inside]
})

const page = 'src/status/page'
writeFileSync(file('config.json'), JSON.stringify({
  main: file('main.cjs'),
  output: byNode ? executable : file('blob'),
  executable: process.execPath,
  disableExperimentalSEAWarning: true,
  // No useCodeCache: it saves a third of the start, but warns of a rejected cache wherever NODE_OPTIONS sets a flag of V8's.
  assets: Object.fromEntries(['package.json', ...readdirSync(page).map(name => `${page}/${name}`)].map(path => [path, path]))
}))

if (byNode) run(process.execPath, ['--build-sea', file('config.json')])
else {
  run(process.execPath, ['--experimental-sea-config', file('config.json')])
  copyFileSync(process.execPath, executable)
  chmodSync(executable, 0o755)
  if (process.platform === 'darwin') run('codesign', ['--remove-signature', executable])
  const { default: { inject } } = await import('postject')
  await inject(executable, 'NODE_SEA_BLOB', readFileSync(file('blob')), { sentinelFuse: FUSE, ...process.platform === 'darwin' ? { machoSegmentName: 'NODE_SEA' } : {} })
}
if (process.platform === 'darwin') run('codesign', ['--sign', '-', executable])
for (const name of ['main.cjs', 'config.json', 'blob']) rmSync(file(name), { force: true })

/** The licences of what is in it ask to go with it. */
const licenses = [readFileSync('LICENSE', 'utf8'), `It holds Node.js ${process.version}: https://github.com/nodejs/node/blob/${process.version}/LICENSE\n`, readFileSync('dist/LICENSES.txt', 'utf8')]
writeFileSync(file('LICENSES.txt'), licenses.join(`\n${'-'.repeat(80)}\n\n`))
console.log(`${executable}: ${Math.round(statSync(executable).size / 1e6)} MB, with Node ${process.versions.node}`)
