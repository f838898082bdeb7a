import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** Counts the processor time of all threads that a process has had so far, microseconds; the scheduler has it in ns. */
function countTime (pid: number): () => number {
  const times = new Map<string, number>()
  return () => {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      try {
        times.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000)
      } catch {} // it has just ended, and counts with what it had
    }
    return [...times.values()].reduce((sum, time) => sum + time, 0)
  }
}

/** Processor on which the measured program runs, and the one for everything else. */
export const cores = { proxy: '0', rest: '1' } as const

/** A program pinned to one processor. */
export interface Measured {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** ms from its start until it listened. */
  readonly startMs: number
  /** Processor time so far, microseconds. */
  readonly cpu: () => number
  /** Resident memory, MB: now, and at most so far. */
  readonly rss: () => { now: number, peak: number }
  readonly stop: () => Promise<void>
}

export interface Start {
  readonly core: string
  readonly command: readonly string[]
  readonly env?: Record<string, string>
  /** What it reads from standard input. */
  readonly input?: string
}

/** Starts a program on its processor and waits until it says where it listens. */
export async function start (name: string, { core, command, env = {}, input = '' }: Start): Promise<Measured> {
  const began = performance.now()
  const child: ChildProcess = spawn('taskset', ['-c', core, ...command], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin?.end(input)
  const port = await new Promise<number>((resolve, reject) => {
    let out = ''
    const read = (chunk: Buffer): void => {
      out += chunk.toString()
      const found = /(?:PORT |listening on (?:http:\/\/)?127\.0\.0\.1:)(\d+)/.exec(out)
      if (found === null) return
      for (const stream of [child.stdout, child.stderr]) stream?.off('data', read).resume() // what it logs from here on costs nothing but the reading
      resolve(Number(found[1]))
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', code => { reject(new Error(`${name} ended with ${code}: ${out}`)) })
  })
  const pid = child.pid as number
  const status = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  return {
    name, port, pid, startMs: performance.now() - began,
    cpu: countTime(pid),
    rss: () => ({ now: status('VmRSS'), peak: status('VmHWM') }),
    stop: async () => {
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}
