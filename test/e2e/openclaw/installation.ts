import { delimiter, dirname, join } from 'node:path'
import { cachedPackage } from '../cached-package.ts'

/** The Node that both OpenClaw versions run on; the machine's own may be too old. */
const NODE = '24.21.0'

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
  const path = process.env['PATH'] ?? ''
  const node = join(await cachedPackage('node', NODE), 'node', 'bin', 'node')
  const modules = await cachedPackage('openclaw', version, `${dirname(node)}${delimiter}${path}`)
  return { version, node, program: join(modules, 'openclaw', 'openclaw.mjs') }
}
