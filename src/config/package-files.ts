import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as sea from 'node:sea'
import { pathToFileURL } from 'node:url'

/** Whether Node and this program are one file, and what else that file holds. */
type SingleFile = Pick<typeof sea, 'isSea'> & { readonly getAsset: (key: string, encoding: string) => string }

/**
 * Text of a file of this package, by its path there. Found by the package's own name: code that is bundled does not
 * stand where its source does.
 */
export const ownFile = (path: string, single: SingleFile = sea): string => single.isSea()
  ? single.getAsset(path, 'utf8')
  : readFileSync(new URL(path, pathToFileURL(createRequire(import.meta.url).resolve('codex-sidecar/package.json'))), 'utf8')

/** Where a folder of this package lies; beside the program where that is one file, if somebody has put it there. */
export const ownFolder = (path: string, single: Pick<SingleFile, 'isSea'> = sea): string =>
  join(dirname(single.isSea() ? process.execPath : createRequire(import.meta.url).resolve('codex-sidecar/package.json')), path)

/** This program's version. */
export const version = (): string => (JSON.parse(ownFile('package.json')) as { version: string }).version

/** The command line that runs this program again: Node with its flags and a file, or the one file that is both. */
export const ownCommand = ({ execPath, execArgv, argv }: Pick<NodeJS.Process, 'execPath' | 'execArgv' | 'argv'>, single: Pick<SingleFile, 'isSea'> = sea): [string, ...string[]] =>
  [execPath, ...execArgv, ...single.isSea() ? [] : argv.slice(1, 2)]
