import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Launch } from './launch.ts'

/** ms for an answer of a program on this machine. */
const PATIENCE = 2_000

/** ms between two looks whether it is there. */
const LOOK = 100

/** The body of one of our own paths, which answer on loopback names; empty where nobody answers. */
async function answerOf (url: string): Promise<string> {
  const dispatcher = new Agent({ connect: { timeout: PATIENCE } })
  const answer = await request(url, { dispatcher, headers: { host: 'localhost', accept: 'application/json' }, headersTimeout: PATIENCE, bodyTimeout: PATIENCE })
    .then(({ body }) => body.text()).catch(() => '')
  await dispatcher.destroy()
  return answer
}

/** Whether a sidecar takes requests there. */
export const isReady = async (origin: string): Promise<boolean> => (await answerOf(`${origin}/readyz`)).includes('"ready"')

/** Waits until a sidecar takes requests. @param patience ms */
export async function becomesReady (origin: string, patience: number): Promise<boolean> {
  for (const end = Date.now() + patience; Date.now() < end;) {
    if (await isReady(origin)) return true
    await sleep(LOOK)
  }
  return false
}

/** The version of the sidecar that answers there. */
export async function versionAt (origin: string): Promise<string | undefined> {
  const [, version] = /"version":"([^"]+)"/.exec(await answerOf(`${origin}/status`)) ?? []
  return version
}

/** The address that somebody has already; undefined where all are free. */
export async function takenAddress ({ addresses, port }: Pick<Launch, 'addresses' | 'port'>): Promise<string | undefined> {
  for (const host of addresses) {
    const server = createServer()
    try {
      server.listen({ host, port, exclusive: true })
      await once(server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return `${host.includes(':') ? `[${host}]` : host}:${port}`
    } finally {
      server.close()
    }
  }
  return undefined
}
