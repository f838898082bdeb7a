import type { ServerResponse } from 'node:http'
import { answerTo, writeAnswer } from '../answers/answer.ts'
import { SidecarError } from '../answers/errors.ts'
import type { Ending } from '../telemetry/ending.ts'
import { pairsOf, valuesOf } from '../wire/headers.ts'
import type { Head, ResponseBody } from './response-body.ts'

/** Whether an answer is an error with a body that is not too large to be held back. */
export const holdable = (method: string | undefined, { status, headers }: Head, limit: number): boolean =>
  status >= 400 && method !== 'HEAD' && Number(valuesOf(headers, 'content-length')[0] ?? 0) <= limit

export interface ErrorBodyOptions extends Head {
  response: ServerResponse
  requestId: string
  /** Bytes held back at most. */
  limit: number
  /** ms until what has not come is not waited for. */
  patience: number
  /** Told once: the whole body, or undefined when it did not arrive whole. Returns headers to add. */
  learn: (body: Buffer | undefined) => readonly string[]
  /** Ends the upstream exchange; `fail` follows. */
  abort: (error: SidecarError) => void
}

/** The upstream's fields that still say something when its body is replaced by ours. */
const kept = /^(?:www-authenticate|retry-after|x-should-retry|cf-ray|request-id|x-oai-request-id|set-cookie|x-openai-authorization-error|anthropic-ratelimit-.*|x-ratelimit-.*)$/i

/**
 * The body of an upstream's error answer: held back until it is whole, since its code decides about the token, and
 * since a 401 whose body hangs or breaks off must still reach the client at once, with the upstream's status.
 */
export class ErrorBody implements ResponseBody {
  readonly #options: ErrorBodyOptions
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Buffer[] = []
  #size = 0

  constructor (options: ErrorBodyOptions) {
    this.#options = options
    this.#timer = setTimeout(() => { this.#giveUp('upstream_timeout') }, options.patience)
  }

  data (chunk: Buffer): boolean {
    this.#size += chunk.length
    if (this.#size <= this.#options.limit) this.#chunks.push(chunk)
    else this.#giveUp('upstream_protocol')
    return true
  }

  end (trailers: readonly string[]): Ending {
    clearTimeout(this.#timer)
    const { response, status, message, headers, learn } = this.#options
    const body = Buffer.concat(this.#chunks)
    response.writeHead(status, message, [...headers, ...learn(body)])
    response.addTrailers(pairsOf(trailers))
    response.end(body)
    return 'whole'
  }

  fail (): Ending {
    clearTimeout(this.#timer)
    const { response, status, headers, requestId, learn } = this.#options
    learn(undefined)
    const { headers: ours, ...answer } = answerTo(new SidecarError('upstream_incomplete', { detail: String(status), status }), requestId, response.req.headers.origin)
    const theirs = pairsOf(headers).filter(([name]) => kept.test(name) && valuesOf(ours, name.toLowerCase()).length === 0)
    writeAnswer(response, { ...answer, headers: [...theirs.flat(), ...ours] })
    return 'ours'
  }

  #giveUp (code: 'upstream_timeout' | 'upstream_protocol'): void {
    this.#options.abort(new SidecarError(code))
  }
}
