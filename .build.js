// Makes dist/: modules with their types for programs that import them, and the command in one piece: Node needs longer
// to find and open its 700 files than to run them.
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.tsconfig.build.json'], { stdio: 'inherit' })

const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  chunkNames: 'command/[name]-[hash]',
  bundle: true,
  splitting: true, // no command waits for what only another one needs
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  mainFields: ['module', 'main'],
  // V8 keeps the source, and at two bytes a character once a comment has an umlaut: 5 MB. Names stay, for stack traces.
  minifyWhitespace: true,
  lineLimit: 160,
  legalComments: 'external',
  // CommonJS packages call it for Node's own modules.
  banner: { js: 'import { createRequire as requireFrom } from \'node:module\'\nconst require = requireFrom(import.meta.url)' },
  metafile: true
})

/** The licences of what is in the bundle ask to go with it. */
const folders = new Set(Object.keys(metafile.inputs).map(path => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(folder => folder !== undefined))
const licenses = [...folders].sort().map(folder => {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const [file] = readdirSync(folder).filter(entry => /^(?:licen[cs]e|copying)/i.test(entry))
  return `${name} ${version} (${license})\n\n${file === undefined ? 'The package has no license file.' : readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
})
writeFileSync('dist/LICENSES.txt', `The command holds these packages.\n\n${licenses.join(`\n${'-'.repeat(80)}\n\n`)}`)
