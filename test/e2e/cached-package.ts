import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'

/** Git-ignored folder for what is installed and for the results. */
export const cache = join(import.meta.dirname, '..', '..', '.cache')

/** The Node that the newer clients need; the machine's own may be too old. */
const NODE = '24.21.0'

/**
 * Installs packages from npm into a folder in the cache, unless they are there.
 * @param packages each as `name@version`; the first gives the folder its name
 * @param node path of the Node that runs their scripts; the machine's own unless given
 * @returns their `node_modules`
 */
export async function cachedPackages (packages: readonly [string, ...string[]], node?: string): Promise<string> {
  const home = join(cache, packages[0].replace(/^@/, '').replaceAll(/[@/]/g, '-'))
  if (existsSync(home)) return join(home, 'node_modules')
  const path = process.env['PATH'] ?? ''
  await mkdir(cache, { recursive: true })
  const staging = await mkdtemp(join(cache, 'install-')) // renamed when whole: an interrupted install is never found
  try {
    const npm = spawn('npm', ['install', '--prefix', staging, '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
      cwd: staging, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: node === undefined ? path : `${dirname(node)}${delimiter}${path}` }
    })
    const [code] = await once(npm, 'close') as [number | null]
    if (code !== 0) throw new Error(`npm could not install ${packages.join(' ')} (exit code ${code ?? 'none'})`)
    if (!existsSync(home)) await rename(staging, home)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return join(home, 'node_modules')
}

/** Installs one package into a folder of its own. */
export const cachedPackage = (name: string, version: string, node?: string): Promise<string> => cachedPackages([`${name}@${version}`], node)

/** Path of a Node that is new enough for every client. */
export const nodeBinary = async (): Promise<string> => join(await cachedPackage('node', NODE), 'node', 'bin', 'node')
