import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Git-ignored folder for what is installed and for the results. */
export const cache = join(import.meta.dirname, '..', '..', '.cache')

/**
 * Installs a package from npm into a folder of its own in the cache, unless it is there.
 * @param path where npm finds the Node that runs the package's scripts
 * @returns its `node_modules`
 */
export async function cachedPackage (name: string, version: string, path = process.env['PATH']): Promise<string> {
  const home = join(cache, `${name.replace(/^@.*\//, '')}-${version}`)
  if (existsSync(home)) return join(home, 'node_modules')
  await mkdir(cache, { recursive: true })
  const staging = await mkdtemp(join(cache, 'install-')) // renamed when whole: an interrupted install is never found
  try {
    const npm = spawn('npm', ['install', '--prefix', staging, '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`], {
      cwd: staging, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: path }
    })
    const [code] = await once(npm, 'close') as [number | null]
    if (code !== 0) throw new Error(`npm could not install ${name}@${version} (exit code ${code ?? 'none'})`)
    if (!existsSync(home)) await rename(staging, home)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return join(home, 'node_modules')
}
