import { jsonObject } from '../json.ts'

/** Bytes of an event that are read at most. */
const READABLE = 65_536

/**
 * What the last event of some bytes says as JSON, where they hold all of it.
 * @returns undefined where they do not, or where it is no JSON object
 */
export function lastEventIn (bytes: Buffer): object | undefined {
  if (bytes.length > READABLE) return undefined
  const events = bytes.toString('utf8').replace(/\r\n?/g, '\n').trimEnd().split('\n\n')
  return jsonObject((events.at(-1) as string).split('\n').filter(line => line.startsWith('data:')).map(line => line.slice('data:'.length)).join('\n'))
}
