import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { openFaultUpstream } from '../fixtures/fault-upstream.ts'

/** What tells where the faults are. */
export type Faults = Pick<Awaited<ReturnType<typeof openFaultUpstream>>, 'origins' | 'ca'>

/** The fault upstream in a process of its own. */
export async function startFaults (): Promise<Faults & { child: ChildProcess }> {
  const child = fork(fileURLToPath(new URL('fault-process.ts', import.meta.url)))
  const [faults] = await once(child, 'message') as [Faults]
  return { ...faults, child }
}

/** The built program in a process of its own, watched from outside. */
export async function startBuilt (config: object, ca: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'codex-sidecar-'))
  writeFileSync(`${dir}/ca.pem`, ca.join('\n'))
  writeFileSync(`${dir}/config.json`, JSON.stringify({ ...config, ...(ca.length > 0 ? { caFile: `${dir}/ca.pem` } : {}) }))
  const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, '--port=0', '--config', `${dir}/config.json`, '--server-info', `${dir}/info.json`], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  let lines = 0
  const alarms: string[] = []
  createInterface({ input: child.stdout }).on('line', line => {
    lines++
    if (/"level":(?:50|60)|internal_error|uncaught/.test(line)) alarms.push(line)
  })
  createInterface({ input: child.stderr }).on('line', line => alarms.push(`stderr: ${line}`))
  while (!existsSync(`${dir}/info.json`)) await Promise.race([sleep(50), exit.then(() => { throw new Error(`it ended: ${alarms.join('\n')}`) })])
  const { pid, port, url } = JSON.parse(readFileSync(`${dir}/info.json`, 'utf8')) as { pid: number, port: number, url: string }
  return {
    pid, port, url,
    /** Lines of its log so far. */
    get lines (): number { return lines },
    /** Lines that no run may have. */
    alarms,
    /** Open file descriptors. */
    handles: (): number => readdirSync(`/proc/${pid}/fd`).length,
    /** What its TCP handles are, by state and port, for whoever looks for a leak. */
    leftOver: (): string => {
      const inodes = new Set(readdirSync(`/proc/${pid}/fd`).flatMap(fd => /socket:\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []))
      const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').split('\n').map(row => row.trim().split(/\s+/)).filter(row => inodes.has(row[9] ?? ''))
      return rows.map(([, local = '', remote = '', state]) => `${parseInt(local.slice(9), 16)}-${parseInt(remote.slice(9), 16)} ${state}`).join(', ')
    },
    /** Resident memory, MB. */
    rss: (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    /** Ends it in order; its exit code and signal. */
    stop: async (): Promise<[number | null, string | null]> => {
      child.kill('SIGTERM')
      const ended = await exit
      rmSync(dir, { recursive: true })
      return ended
    }
  }
}
