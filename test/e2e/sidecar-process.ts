import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { WebSocket } from 'ws'

const exec = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

/** Builds the program, as `npm run build` does, and gives its main file. */
export async function build (): Promise<string> {
  await exec(process.execPath, ['.build.js'], { cwd: root })
  return join(root, 'dist', 'main.js')
}

/** What a process holds in memory, MB. */
export interface Memory { heap: number, rss: number }

/** The built program as users run it, in a process of its own, before the upstream given. Linux: it reads /proc. */
export async function startSidecarProcess (t: Test, main: string, upstream: string) {
  const info = join(t.testdir(), 'info.json')
  const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', main, '--port', '0', '--server-info', info], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream}/backend-api/`,
      CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream}/v1/`,
      CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${upstream}/v1/`
    }
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const exit = once(child, 'exit')
  t.teardown(async () => {
    child.kill()
    await exit
  })
  while (!existsSync(info)) {
    if (child.exitCode !== null) throw new Error(`it ended with exit ${child.exitCode}: ${said}`)
    await sleep(20)
  }
  const { pid, port, url } = JSON.parse(await readFile(info, 'utf8')) as { pid: number, port: number, url: string }

  const inspector = new WebSocket(/ws:\S+/.exec(said)?.[0] ?? '')
  t.teardown(() => { inspector.terminate() })
  await once(inspector, 'open')
  let calls = 0
  /** Asks the process's debugger. */
  async function ask (method: string, params: object = {}): Promise<unknown> {
    const id = ++calls
    inspector.send(JSON.stringify({ id, method, params }))
    for (;;) {
      const [data] = await once(inspector, 'message') as [Buffer]
      const answer = JSON.parse(data.toString()) as { id?: number, result?: unknown }
      if (answer.id === id) return answer.result
    }
  }

  return {
    port,
    url,
    get alive (): boolean { return child.exitCode === null && child.signalCode === null },
    /** Open file descriptors: sockets, pipes and all. */
    fds: async (): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length,
    /** Resident memory as it is, MB. */
    rss: async (): Promise<number> => Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    /** What is in use once all garbage is collected: nothing else shows whether anything is kept. */
    async memory (): Promise<Memory> {
      await ask('HeapProfiler.collectGarbage')
      const { result: { value } } = await ask('Runtime.evaluate', { expression: 'process.memoryUsage()', returnByValue: true }) as { result: { value: { heapUsed: number, external: number, rss: number } } }
      return { heap: (value.heapUsed + value.external) / (1 << 20), rss: value.rss / (1 << 20) }
    },
    /** CPU time used so far, ms. */
    async cpu (): Promise<number> {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
      return (Number(fields[11]) + Number(fields[12])) * 10
    }
  }
}

export type SidecarProcess = Awaited<ReturnType<typeof startSidecarProcess>>
