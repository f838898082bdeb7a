import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'

const program = join(import.meta.dirname, '..', '..', '..', 'dist', 'main.js')
/** Milliseconds after which a silent upstream is given up, so that the case of one ends soon; the default of minutes is for long reasoning. */
const PATIENCE = 3000

/** The built sidecar as a process of its own, with one prefix for the main agent and one for the helper. */
export async function startSidecarProcess (t: Pick<Test, 'teardown'>, upstream: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codex-sidecar-e2e-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [config, serverInfo] = [join(folder, 'config.json'), join(folder, 'server-info.json')]
  const route = (prefix: string): object => ({
    prefix, upstream: `${upstream}/backend-api/`, dialect: 'openai', credential: ['authorization'], probePath: '/backend-api/codex/models?client_version={version}'
  })
  await writeFile(config, JSON.stringify({ times: { streamHeaders: PATIENCE, handshake: PATIENCE }, routes: [route('/backend-api/'), route('/helper/backend-api/')] }))
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
