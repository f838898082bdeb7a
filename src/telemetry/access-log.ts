import fastify from 'fastify'
import pino, { type Logger } from 'pino'
import { pathOf } from '../wire/target.ts'
import { isoTime, safeError } from './log.ts'
import type { RequestRecord } from './record.ts'

/** Fastify's own request lines are off: one line at the end says it all, at a fraction of their cost. */
export const quiet = new fastify.LogController({ disableRequestLogging: true })

const { info, warn } = pino.levels.values as { info: number, warn: number }

const round = (ms: number | undefined): number | undefined => ms === undefined ? undefined : Math.round(ms * 100) / 100

/**
 * Writes one line for each finished request: no header, no query, of the credential only its fingerprint. It is a line
 * of pino's, with the time at which the request was over, on the log's stream; pino's way of making it takes three times
 * as long as JSON.stringify, and the line is most of what a finished request costs.
 */
export function createAccessLog (log: Logger) {
  const stream = (log as unknown as Record<symbol, { write: (line: string) => void }>)[pino.symbols.streamSym]
  const timeOf = isoTime()
  return function logRequest ({ id, method, target, endedAt, ms, status, route, lane, credential, code, source, guardMs, upstreamMs, ending, error }: RequestRecord): void {
    const level = (status as number) >= 500 || ending === 'explained' || ending === 'cut' ? warn : info
    if (level < log.levelVal) return
    const line = {
      level, time: timeOf(endedAt),
      reqId: id, method, path: pathOf(target), status, code, source, route, lane, ending,
      token: credential?.toString(),
      ms: round(ms), guardMs: round(guardMs), upstreamMs: round(upstreamMs),
      err: error === undefined ? undefined : safeError(error),
      msg: code ?? 'done'
    }
    stream?.write(`${JSON.stringify(line)}\n`)
  }
}
