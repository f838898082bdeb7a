import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Text of a file of this package, by its path there. Found by the package's own name: code that is bundled does not
 * stand where its source does.
 */
export const ownFile = (path: string): string =>
  readFileSync(new URL(path, pathToFileURL(createRequire(import.meta.url).resolve('codex-sidecar/package.json'))), 'utf8')

/** This program's version. */
export const version = (): string => (JSON.parse(ownFile('package.json')) as { version: string }).version
