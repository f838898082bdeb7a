import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'

/** The Node that both OpenClaw versions run on; the machine's own may be too old. */
const NODE = '24.21.0'
/** Git-ignored folder for what is installed and for the results. */
export const cache = join(import.meta.dirname, '..', '..', '..', '.cache')

async function install (name: string, version: string, path: string): Promise<string> {
  const home = join(cache, `${name}-${version}`)
  if (existsSync(home)) return home
  await mkdir(cache, { recursive: true })
  const staging = await mkdtemp(join(cache, `${name}-`)) // renamed when whole: an interrupted install is never found
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
  return home
}

export interface Installation {
  readonly version: string
  /** Path of the Node that runs it. */
  readonly node: string
  /** Its program for that Node. */
  readonly program: string
}

/** Installs a version of OpenClaw and the Node it needs from npm, unless they are there. */
export async function installOpenClaw (version: string): Promise<Installation> {
  const path = process.env['PATH'] ?? ''
  const node = join(await install('node', NODE, path), 'node_modules', 'node', 'bin', 'node')
  const home = await install('openclaw', version, `${dirname(node)}${delimiter}${path}`)
  return { version, node, program: join(home, 'node_modules', 'openclaw', 'openclaw.mjs') }
}
