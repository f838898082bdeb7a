import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import JSON5 from 'json5'
import type { Test } from 'tap'

const root = join(import.meta.dirname, '..', '..', '..')
const program = join(root, 'dist', 'main.js')
/** Milliseconds after which a silent upstream is given up, so that the case of one ends soon; the default of minutes is for long reasoning. */
const PATIENCE = 3000

/** The built sidecar as a process of its own, with the example's two prefixes: the main agent's and the helpers'. */
export async function startSidecarProcess (t: Pick<Test, 'teardown'>, upstream: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-e2e-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [config, serverInfo] = [join(folder, 'config.json'), join(folder, 'server-info.json')]
  const example = (await readFile(join(root, 'config', 'helpers.jsonc'), 'utf8')).replaceAll('https://chatgpt.com', upstream)
  await writeFile(config, JSON.stringify({ ...JSON5.parse<object>(example), times: { streamHeaders: PATIENCE, handshake: PATIENCE } }))
  const child = spawn(process.execPath, [program, '--port', '0', '--config', config, '--server-info', serverInfo], { stdio: 'ignore', env: { PATH: process.env['PATH'] } })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(timer)
  })
  while (!existsSync(serverInfo) || readFileSync(serverInfo, 'utf8') === '') {
    if (child.exitCode !== null) throw new Error(`the sidecar ended with exit ${child.exitCode}; was it built? (npm run build)`)
    await sleep(50)
  }
  return (JSON.parse(readFileSync(serverInfo, 'utf8')) as { url: string }).url
}
