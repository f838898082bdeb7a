import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StandIn } from './stand-in.ts'

/** Another build can be named, to set it beside this one. */
const program = process.env['SIDECAR'] ?? join(import.meta.dirname, '..', '..', '..', 'dist', 'main.js')

/**
 * The built program as users run it, before the stand-ins; a new one knows nothing of the case before.
 * @param port where it listens, 0 for any
 */
export async function startSidecar ({ urls: { chatgpt, openai, anthropic } }: StandIn, port = 0) {
  const folder = await mkdtemp(join(tmpdir(), 'recovery-sidecar-'))
  const info = join(folder, 'info.json')
  const child = spawn(process.execPath, [program, '--port', String(port), '--server-info', info], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      CODEX_SIDECAR_CHATGPT_UPSTREAM: `${chatgpt}/backend-api/`,
      CODEX_SIDECAR_OPENAI_UPSTREAM: `${openai}/v1/`,
      CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${anthropic}/v1/`
    }
  })
  const ended = once(child, 'exit')
  while (!existsSync(info) || readFileSync(info, 'utf8') === '') {
    if (child.exitCode !== null) throw new Error(`the sidecar ended with exit ${child.exitCode}; was it built? (npm run build)`)
    await sleep(20)
  }
  const found = JSON.parse(readFileSync(info, 'utf8')) as { port: number, url: string }
  return {
    ...found,
    async close (): Promise<void> {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      await ended
      clearTimeout(timer)
      await rm(folder, { recursive: true, force: true })
    }
  }
}
