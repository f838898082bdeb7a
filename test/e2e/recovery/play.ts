import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { endProcessesOf } from '../processes.ts'
import type { Case } from './cases.ts'
import type { Client, Place } from './clients/client.ts'
import type { StandIn } from './stand-in.ts'

/** How one turn of a client ended. */
export interface Ended {
  /** What it gave as the answer. */
  readonly answer: string
  /** What else it said. */
  readonly complaint: string
  /** Whether it called that a success. */
  readonly success: boolean
  /** Whether it was still at it when its time was over. */
  readonly endless: boolean
}

/** A client that takes turns, one after the other. */
export interface Player {
  turn: (now: Case, key: string) => Promise<Ended>
  /** Sees to it that what was does not go on into the next case. Called while all is well. */
  settle?: () => Promise<void>
  close: () => Promise<void>
}

/** Milliseconds for a turn from its first request on: there are clients that try for ever. */
export const PATIENCE = 120_000
/** Milliseconds until its first request, on a machine that may be busy, and refused connections. */
export const START = 180_000

const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]/g, '').trim()

/** A client that is a program of its own for each turn, in a home that is gone afterwards. */
export function programPlayer (client: Client, where: Pick<Place, 'url' | 'modules'>, node: string, upstream: StandIn): Player {
  async function turn ({ upload }: Case, key: string): Promise<Ended> {
    const home = await mkdtemp(join(tmpdir(), 'recovery-'))
    try {
      const place = { ...where, key, home }
      const { command, args, env } = upload === true && client.upload !== undefined ? client.upload(place) : await client.start(place)
      const folder = join(home, 'cwd')
      await mkdir(folder)
      const child = spawn(command, args, {
        cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`, HOME: home, TMPDIR: home, CI: '1', NO_COLOR: '1', TERM: 'dumb', DO_NOT_TRACK: '1', ...env }
      })
      let answer = ''
      let complaint = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => { answer += text })
      child.stderr.setEncoding('utf8').on('data', (text: string) => { complaint += text })
      const end = (): void => { try { process.kill(-(child.pid ?? 0), 'SIGKILL') } catch { /* it has ended, with all it started */ } }
      let endless = false
      const watch = setInterval(() => {
        const first = upstream.seen.find(({ turn }) => turn)
        endless = upstream.now() > (first === undefined ? START : first.at + PATIENCE)
        if (endless) end()
      }, 500)
      const [code] = await once(child, 'close') as [number | null]
      clearInterval(watch)
      end()
      return { answer: plain(answer), complaint: plain(complaint), success: code === 0, endless }
    } finally {
      endProcessesOf(home)
      await rm(home, { recursive: true, force: true, maxRetries: 5 })
    }
  }
  return { turn, close: async () => {} }
}
