import { createRequire } from 'node:module'
import pino, { type DestinationStream, type Logger } from 'pino'
import type pinoPretty from 'pino-pretty'
import { standardOutput } from './standard-output.ts'

/** Loaded for a person's eyes only: JSON lines start without it. */
const pretty = (): typeof pinoPretty => createRequire(import.meta.url)('pino-pretty') as typeof pinoPretty

/** Lines for a person's eyes. pino-pretty's own stream wants another stream behind it. */
function forPeople (lines: DestinationStream): DestinationStream {
  const prettify = pretty().prettyFactory({ ignore: 'level', singleLine: true })
  return { write: line => { lines.write(prettify(line)) } }
}

/** pino's logger, and where its lines go. */
export type Log = Logger & { readonly to: DestinationStream }

/** What one line of the log may be made of; headers, requests and credentials are not on the list. */
export interface LogOptions {
  level: string
  /** Where lines go; standard output unless told. */
  destination?: DestinationStream
  /** Lines for a person instead of JSON. */
  human?: boolean
}

/**
 * Errors are logged by name, code and stack position only: messages of foreign errors can quote what they were
 * given, and headers hang on some of them.
 */
export function safeError (thrown: unknown): object {
  if (!(thrown instanceof Error)) return { type: typeof thrown }
  const { code } = thrown as NodeJS.ErrnoException
  const frames = String(thrown.stack).split('\n').filter(line => /^\s+at /.test(line)).map(line => line.trim())
  return { type: thrown.name, code, at: frames.slice(0, 4), cause: thrown.cause === undefined ? undefined : safeError(thrown.cause) }
}

/** Makes times in ISO 8601 of ms since 1970; only the milliseconds are made anew for each. */
export function isoTime (): (ms: number) => string {
  let second = NaN
  let text = ''
  return ms => {
    if (Math.floor(ms / 1000) !== second) {
      second = Math.floor(ms / 1000)
      text = new Date(ms).toISOString().slice(0, 20)
    }
    return `${text}${String(ms % 1000).padStart(3, '0')}Z`
  }
}

/** The program's logger. It has no serializer for requests, so that none can leak through it. */
export function createLog ({ level, destination, human = false }: LogOptions): Log {
  const lines = destination ?? standardOutput()
  const to = human ? forPeople(lines) : lines
  const timeOf = isoTime()
  const log = pino({
    level,
    base: null,
    timestamp: () => `,"time":"${timeOf(Date.now())}"`,
    // Without words of its own a line would take those of its error.
    hooks: {
      logMethod ([first, ...words], method) {
        method.apply(this, words.length > 0 || typeof first === 'string' ? [first, ...words] : [first instanceof Error ? { err: first } : first, ''])
      }
    },
    serializers: { err: safeError, req: () => undefined, res: () => undefined }
  }, to)
  return Object.assign(log, { to })
}
