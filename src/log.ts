import { createRequire } from 'node:module'
import pino, { type DestinationStream, type Logger } from 'pino'
import type pinoPretty from 'pino-pretty'

/** Loaded for a person's eyes only: JSON lines start without it. */
const pretty = (): typeof pinoPretty => createRequire(import.meta.url)('pino-pretty') as typeof pinoPretty

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

/** ms in which lines wait for others, once one has left: each write of its own wakes a thread and costs as much as the line itself. */
const TOGETHER = 50
/** Bytes of lines that do not wait. */
const ENOUGH = 32_768

/** Standard output, without ever holding up the program for a reader that does not read. */
function standardOutput (): DestinationStream {
  const out = pino.destination({ fd: 1, sync: false, minLength: ENOUGH, maxWrite: 2 * ENOUGH })
  let gathering = false
  let waiting = false
  const leave = (): void => {
    out.flush()
    waiting = false
    gathering = true
    setTimeout(() => { gathering = false; if (waiting) leave() }, TOGETHER).unref()
  }
  return {
    write: line => {
      out.write(line)
      if (gathering) waiting = true
      else leave()
    }
  }
}

/** pino's `time` in ISO 8601; only its milliseconds are made anew for each line. */
function isoTime (): () => string {
  let second = NaN
  let text = ''
  return () => {
    const now = Date.now()
    if (Math.floor(now / 1000) !== second) {
      second = Math.floor(now / 1000)
      text = `,"time":"${new Date(now).toISOString().slice(0, 20)}`
    }
    return `${text}${String(now % 1000).padStart(3, '0')}Z"`
  }
}

/** The program's logger. It has no serializer for requests, so that none can leak through it. */
export function createLog ({ level, destination, human = false }: LogOptions): Logger {
  const to = destination ?? standardOutput()
  return pino({
    level,
    base: null,
    timestamp: isoTime(),
    // Without words of its own a line would take those of its error.
    hooks: {
      logMethod ([first, ...words], method) {
        method.apply(this, words.length > 0 || typeof first === 'string' ? [first, ...words] : [first instanceof Error ? { err: first } : first, ''])
      }
    },
    serializers: { err: safeError, req: () => undefined, res: () => undefined }
  }, human ? pretty()({ destination: to, ignore: 'level', sync: true, singleLine: true }) : to)
}
