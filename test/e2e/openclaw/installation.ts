import { join } from 'node:path'
import { cachedPackage, nodeBinary } from '../cached-package.ts'

export interface Installation {
  readonly version: string
  /** Path of the Node that runs it. */
  readonly node: string
  /** Its program for that Node. */
  readonly program: string
}

/** The version of the report, and the newest. */
export const OPENCLAW: readonly string[] = ['2026.4.9', '2026.9.6']

/** Installs a version of OpenClaw and the Node it needs from npm, unless they are there. */
export async function installOpenClaw (version: string): Promise<Installation> {
  const node = await nodeBinary()
  const modules = await cachedPackage('openclaw', version, node)
  return { version, node, program: join(modules, 'openclaw', 'openclaw.mjs') }
}
