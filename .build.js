// Makes dist/: modules with their types for programs that import them, and the command in one piece: Node needs longer
// to find and open its 700 files than to run them.
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import standalone from 'ajv/dist/standalone/index.js'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.tsconfig.build.json'], { stdio: 'inherit' })

/** A module of Node's that packages load and nothing here uses: HTTP/2 would be 3 MB. */
const unused = name => ({
  name: `unused ${name}`,
  setup ({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(?:node:)?${name}$`) }, () => ({ path: name, namespace: 'unused' }))
    onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents: 'module.exports = { constants: {} }' }))
  }
})

/** The check of the options, ready made: Ajv would take 35 ms and 8 MB at each start to make it. */
const readyCheck = {
  name: 'ready check',
  setup ({ onLoad }) {
    onLoad({ filter: /src\/config\/options-check\.ts$/ }, async () => {
      const { ajv, validate } = await import('./dist/config/options-check.js')
      return { contents: standalone.default(ajv, validate), resolveDir: 'src/config' }
    })
  }
}

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
  // undici asks for it to compare, and Node would load its own undici for that: see src/wire/node-http.ts.
  define: { 'globalThis.Headers': 'undefined' },
  legalComments: 'external',
  // CommonJS packages call it for Node's own modules.
  banner: { js: 'import { createRequire as requireFrom } from \'node:module\'\nconst require = requireFrom(import.meta.url)' },
  metafile: true,
  plugins: [unused('http2'), readyCheck]
})

/** The licences of what is in the bundle ask to go with it. */
const folders = new Set(Object.keys(metafile.inputs).map(path => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(folder => folder !== undefined))
const licenses = [...folders].sort().map(folder => {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const [file] = readdirSync(folder).filter(entry => /^(?:licen[cs]e|copying)/i.test(entry))
  return `${name} ${version} (${license})\n\n${file === undefined ? 'The package has no license file.' : readFileSync(`${folder}/${file}`, 'utf8').trim()}\n`
})
writeFileSync('dist/LICENSES.txt', `The command holds these packages.\n\n${licenses.join(`\n${'-'.repeat(80)}\n\n`)}`)
