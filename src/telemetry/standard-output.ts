import type { Writable } from 'node:stream'
import type { DestinationStream } from 'pino'

/** Bytes that wait for a reader at most; lines beyond them are lost. */
const MOST = 8 << 20

/** Its reader is gone, and there is nobody else to tell. */
const gone = (): void => {}

/**
 * Standard output, without ever holding up the program for a reader that does not read: Node writes to pipes without
 * waiting. pino's own stream tries for ever to write the rest when the program ends, so that one whose reader is stuck or
 * gone would not end.
 */
export function standardOutput (stdout: Writable = process.stdout): DestinationStream {
  if (!stdout.listeners('error').includes(gone)) stdout.on('error', gone)
  return {
    write: line => { if (stdout.writableLength < MOST) stdout.write(line) }
  }
}
