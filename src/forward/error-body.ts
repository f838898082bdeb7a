import type { ServerResponse } from 'node:http'
import { answerTo, writeAnswer } from '../answers/answer.ts'
import { SidecarError } from '../answers/errors.ts'
import type { Ending } from '../telemetry/ending.ts'
import { pairsOf, valuesOf } from '../wire/headers.ts'
import { abandon } from './cut.ts'
import type { Head, ResponseBody } from './response-body.ts'

/** Whether an answer is an error with a body that is not too large to be held back. */
export const holdable = (method: string | undefined, { status, headers }: Head, limit: number): boolean =>
  status >= 400 && method !== 'HEAD' && Number(valuesOf(headers, 'content-length')[0] ?? 0) <= limit

/** Bytes that are left for bodies of more than the limit. */
export interface Room { left: number }

export interface ErrorBodyOptions extends Head {
  response: ServerResponse
  requestId: string
  /** Bytes that are few: a body of more is not read, only held back. */
  limit: number
  /** ms of silence until what has not come is not waited for. */
  patience: number
  /** Told once: the whole body, or undefined when it did not arrive whole. Returns headers to add. */
  learn: (body: Buffer | undefined) => readonly string[]
  /** What is left of the bytes that all bodies together may hold back beyond the limit. */
  room: Room
  /** Begins the answer as one that is not held back. */
  relay: (head: Head) => ResponseBody
  /** Ends the upstream exchange; `fail` follows. */
  abort: (error: SidecarError) => void
}

/** How many times the limit is held back at most: error pages can be large, endless ones must not be waited for. */
const HELD = 16

/** How many times the limit all bodies together hold back beyond theirs: the clients' heads wait, but not at the price of all memory. */
const HELD_BY_ALL = 256

/** How many times the limit must come within the patience so that a body will soon be whole, or be too much. */
const FAST = 4

/** How many times the patience is had with any other error than a 401: only that one's client has a token to renew, and waits for it. */
const OTHERS = 5

/** What all error bodies together may hold back beyond the limit, in bytes. */
export const roomFor = (limit: number): Room => ({ left: limit * HELD_BY_ALL })

/** The upstream's fields that still say something when its body is replaced by ours. */
const kept = /^(?:www-authenticate|retry-after|x-should-retry|cf-ray|request-id|x-oai-request-id|set-cookie|x-openai-authorization-error|anthropic-ratelimit-.*|x-ratelimit-.*)$/i

/**
 * The body of an upstream's error answer: held back until it is whole, since its code decides about the token, and
 * since a 401 whose body hangs or breaks off must still reach the client at once, with the upstream's status. One that
 * takes long, but comes, goes on as it comes.
 */
export class ErrorBody implements ResponseBody {
  readonly #options: ErrorBodyOptions
  readonly #timer: NodeJS.Timeout
  #chunks: Buffer[] = []
  #size = 0
  /** Bytes taken of the room for all. */
  #taken = 0
  /** Times that the patience was over, how many bytes were there the last time, and when the last of them came. */
  #waits = 0
  #seen = 0
  #cameAt = -Infinity
  /** Once nothing is held back any more. */
  #onward: ResponseBody | undefined

  constructor (options: ErrorBodyOptions) {
    this.#options = options
    this.#timer = setTimeout(() => { this.#impatient() }, options.patience)
    options.response.once('close', () => {
      clearTimeout(this.#timer)
      this.#giveBack()
    })
  }

  data (chunk: Buffer): boolean {
    if (this.#onward !== undefined) return this.#onward.data(chunk)
    this.#size += chunk.length
    this.#cameAt = performance.now()
    const { limit, room } = this.#options
    if (this.#size > limit * HELD) {
      this.#giveUp('upstream_protocol')
      return true
    }
    this.#chunks.push(chunk)
    const more = Math.max(0, this.#size - limit) - this.#taken
    this.#taken += more
    room.left -= more
    if (room.left < 0) this.#goOn()
    return true
  }

  end (trailers: readonly string[]): Ending | Promise<Ending> {
    clearTimeout(this.#timer)
    if (this.#onward !== undefined) return this.#onward.end(trailers)
    const { response, status, message, headers, learn } = this.#options
    const body = Buffer.concat(this.#chunks)
    response.writeHead(status, message, [...headers, ...learn(body)])
    response.addTrailers(pairsOf(trailers))
    response.end(body)
    return 'whole'
  }

  fail (error: SidecarError): Ending | Promise<Ending> {
    clearTimeout(this.#timer)
    if (this.#onward !== undefined) return this.#onward.fail(error)
    const { response, status, headers, requestId, learn } = this.#options
    learn(undefined)
    const { headers: ours, ...answer } = answerTo(new SidecarError('upstream_incomplete', { detail: String(status), status }), requestId, response.req.headers.origin)
    const theirs = pairsOf(headers).filter(([name]) => kept.test(name) && valuesOf(ours, name.toLowerCase()).length === 0)
    writeAnswer(response, { ...answer, headers: [...theirs.flat(), ...ours] })
    return 'ours'
  }

  #impatient (): void {
    const { status, limit, patience } = this.#options
    const came = this.#size - this.#seen
    this.#seen = this.#size
    const fast = came > limit * FAST
    if (!fast && performance.now() - this.#cameAt < patience / 2) this.#goOn()
    else if (fast || (status !== 401 && ++this.#waits < OTHERS)) this.#timer.refresh()
    else this.#giveUp('upstream_timeout')
  }

  /** It comes, but slowly, or there is no room for it: what there is of it goes out, and the rest as it comes. */
  #goOn (): void {
    clearTimeout(this.#timer)
    const { response, status, message, headers, learn, relay } = this.#options
    const onward = this.#onward = relay({ status, message, headers: [...headers, ...learn(undefined)] })
    try {
      for (const chunk of this.#chunks) onward.data(chunk)
    } catch {
      abandon(response) // a field that undici took and Node does not
    }
    this.#chunks = []
    this.#giveBack()
  }

  #giveBack (): void {
    this.#options.room.left += this.#taken
    this.#taken = 0
  }

  #giveUp (code: 'upstream_timeout' | 'upstream_protocol'): void {
    this.#options.abort(new SidecarError(code))
  }
}
