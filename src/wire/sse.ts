/** Server-sent events as far as a proxy must know them: where one ends, which one is the last, how to say that one failed. */

/** Streams whose end is marked; `other` has no mark that we know. */
export type StreamProtocol = 'responses' | 'chat' | 'messages' | 'other'

/** What a failed stream says of itself. */
export interface StreamFailure { readonly code: string, readonly message: string }

const protocolPaths: readonly [RegExp, StreamProtocol][] = [
  [/\/responses(?:\/[^/]+)?\/?$/, 'responses'],
  [/\/completions\/?$/, 'chat'],
  [/\/messages\/?$/, 'messages']
]

/** Which protocol a stream on this path speaks. The path comes without its query. */
export function protocolOf (path: string): StreamProtocol {
  return protocolPaths.find(([pattern]) => pattern.test(path))?.[1] ?? 'other'
}

/** Events after which nothing is missing, whatever the socket does next (contract.md section 3). An error event explains itself. */
const terminal: Readonly<Record<StreamProtocol, RegExp | undefined>> = {
  responses: /^event: ?(?:response\.(?:completed|incomplete|failed|cancelled)|error)\r?$|"type" ?: ?"response\.(?:completed|incomplete|failed|cancelled)"|^data: ?\{ ?"type" ?: ?"error"/m,
  chat: /^data: ?\[DONE\]|^data: ?\{ ?"error" ?:|^event: ?error\r?$/m,
  messages: /^event: ?(?:message_stop|error)\r?$|^data: ?\{ ?"type" ?: ?"(?:message_stop|error)"/m,
  other: undefined
}

/** Some servers leave out `[DONE]`: a chat stream that gave its finish_reason and then ended in order is whole. */
const finished = /"finish_reason" ?: ?"/

/** Blank lines, which end an event: LF LF, LF CR LF (CR LF CR LF too), CR CR. */
const blanks = ['\n\n', '\n\r\n', '\r\r'].map(text => Buffer.from(text))

const CR = 0x0d

/** Longest blank line, bytes: so many stay back even of an event that does not end, or its end could go unseen. */
const BLANK = 3

/** Index behind the last event that is whole, 0 when none is. */
function lastBoundary (bytes: Buffer): number {
  let end = 0
  // Without a CR only the first of them can be there; the others would be looked for through all of it.
  for (const blank of bytes.includes(CR) ? blanks : blanks.slice(0, 1)) {
    const at = bytes.lastIndexOf(blank)
    if (at >= 0) end = Math.max(end, at + blank.length)
  }
  return end
}

/** An event longer than this many bytes is passed on before it is whole. */
const HELD = 1 << 20

const nothing = Buffer.alloc(0)

/** The same bytes without the larger buffer they are a part of, which they would keep from being freed. */
function detached (part: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(part.length)
  part.copy(copy)
  return copy
}

/** Splits a stream at event boundaries and notes whether its last event has been seen. */
export class EventStream {
  readonly #protocol: StreamProtocol
  #held: Buffer = nothing
  #midEvent = false
  #terminal = false
  #finished = false

  constructor (protocol: StreamProtocol) { this.#protocol = protocol }

  /** Whether what was passed on ends on an event boundary, so that an event of ours can follow. */
  get onBoundary (): boolean { return !this.#midEvent }
  /** Whether the stream said that it is complete. */
  get terminated (): boolean { return this.#terminal }
  /** Whether an orderly end here is the end of a whole stream. */
  get mayEnd (): boolean { return this.#terminal || this.#finished || this.#protocol === 'other' }

  /** Takes bytes in and returns those to pass on: whole events, byte for byte. */
  push (chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const end = lastBoundary(bytes)
    const endless = bytes.length - end > HELD || (this.#midEvent && end === 0)
    const split = endless ? Math.max(end, bytes.length - BLANK) : end
    const rest = bytes.subarray(split)
    this.#held = rest.length === 0 ? nothing : rest.length < split ? detached(rest) : rest
    if (split > 0) this.#midEvent = split > end
    return this.#inspect(bytes.subarray(0, split))
  }

  /** The bytes still held back, on an orderly end: the last event may lack its blank line. */
  flush (): Buffer { return this.#inspect(this.#held) }

  #inspect (bytes: Buffer): Buffer {
    const pattern = terminal[this.#protocol]
    if (pattern !== undefined && !this.#terminal && bytes.length > 0) {
      const text = bytes.toString('latin1')
      this.#terminal = pattern.test(text)
      this.#finished ||= this.#protocol === 'chat' && finished.test(text)
    }
    return bytes
  }
}

const event = (data: object, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

/** The event (or events) with which a protocol's clients understand that a stream has failed. */
export function failureEvent (protocol: StreamProtocol, { code, message }: StreamFailure): string {
  const error = { type: 'api_error', code, message, param: null }
  if (protocol === 'messages') return event({ type: 'error', error }, 'error')
  if (protocol === 'chat') return event({ error })
  // The SDK throws at `error`, Codex acts on `response.failed` and passes over the other.
  return event({ type: 'error', code, message, param: null, error }, 'error') +
    event({ type: 'response.failed', response: { object: 'response', status: 'failed', error: { code, message }, output: [] } }, 'response.failed')
}
