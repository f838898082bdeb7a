import { rawOf } from '../wire/headers.ts'
import { timeOf } from '../wire/fields/http-date.ts'
import type { Lane } from './lane.ts'

/**
 * Gets an upstream's time, ms since 1970, with a HEAD request that carries no credential. It never throws: who can not be asked
 * tells nothing.
 * @param deadline ms
 */
export async function askDate (lane: Lane, { origin, path, deadline }: { origin: string, path: string, deadline: number }): Promise<number | undefined> {
  try {
    const leave = lane.enter()
    try {
      const { headers, body } = await lane.request({ origin, path, method: 'HEAD', signal: AbortSignal.timeout(deadline) })
      await body.dump()
      return timeOf(rawOf(headers))
    } finally {
      leave()
    }
  } catch {
    return undefined
  }
}
