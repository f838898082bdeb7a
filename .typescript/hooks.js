// Tests and the programs that they start run the sources. A process that loads TypeScript to read them needs a second of
// work before it begins, and three to translate them; this keeps what TypeScript made of a file, by what the file says, and
// loads it for what is new only.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const project = join(import.meta.dirname, '..')
const folder = join(project, '.cache', 'transpiled')
const config = readFileSync(join(project, 'tsconfig.json'), 'utf8')
const { version } = require('typescript/package.json')

function transpile (fileName, input) {
  const typescript = require('typescript')
  const { compilerOptions } = typescript.parseConfigFileTextToJson('tsconfig.json', config).config
  const own = { noEmit: false, rewriteRelativeImportExtensions: false, module: 'esnext', moduleResolution: 'bundler', inlineSourceMap: true, inlineSources: true }
  const { options } = typescript.convertCompilerOptionsFromJson({ ...compilerOptions, ...own }, project)
  const { outputText, diagnostics } = typescript.transpileModule(input, { fileName, compilerOptions: options, reportDiagnostics: true })
  if (diagnostics.length > 0) {
    throw new SyntaxError(typescript.formatDiagnostics(diagnostics, { getCurrentDirectory: () => project, getCanonicalFileName: name => name, getNewLine: () => '\n' }))
  }
  return outputText
}

/** JavaScript for a file of TypeScript. */
function translated (fileName) {
  const input = readFileSync(fileName, 'utf8')
  const file = join(folder, `${createHash('sha256').update(JSON.stringify([version, config, fileName, input])).digest('hex')}.js`)
  try {
    return readFileSync(file, 'utf8')
  } catch {
    const output = transpile(fileName, input)
    mkdirSync(folder, { recursive: true })
    const own = `${file}.${process.pid}`
    writeFileSync(own, output)
    renameSync(own, file) // others may write the same one
    return output
  }
}

/** Node's hook: the sources name each other with their extension, so that nothing else is to be done. */
export function load (url, context, next) {
  return url.startsWith('file:') && url.endsWith('.ts') ? { format: 'module', source: translated(fileURLToPath(url)), shortCircuit: true } : next(url, context)
}
