import type { ServerResponse } from 'node:http'
import type { Ending } from '../telemetry/ending.ts'
import { pairsOf, valuesOf } from '../wire/headers.ts'
import { cut } from './cut.ts'
import type { Head, HeldBody, ResponseBody } from './response-body.ts'

/** Bytes of a body that goes out in one string with its head: Node writes one string several times faster than pieces. */
const SMALL = 16_384

/** Bytes that go through as they come. */
export class PlainBody implements HeldBody {
  readonly #response: ServerResponse
  readonly #head: Head
  /** The first bytes, until it is known whether they are all. */
  #first: Buffer | undefined
  #begun = false
  #stream: boolean

  /** @param stream whether it is one, to which no length is given even where all of it comes at once */
  constructor (response: ServerResponse, head: Head, stream = false) {
    this.#response = response
    this.#head = head
    this.#stream = stream
  }

  /** It has turned out to be a stream. */
  keepOpen (): void { this.#stream = true }

  data (chunk: Buffer): boolean {
    if (!this.#begun && this.#first === undefined) {
      this.#first = chunk
      return true
    }
    this.#begin()
    return this.#response.write(chunk)
  }

  flush (): void {
    if (this.#begun) return
    this.#begin()
    this.#response.flushHeaders()
  }

  end (trailers: readonly string[]): Ending {
    if (!this.#begun && !this.#stream && trailers.length === 0) return this.#whole(this.#first ?? Buffer.alloc(0))
    this.#begin()
    // Node sends trailers on chunked answers only, and drops them on others (RFC 9110 section 6.5.1).
    if (trailers.length > 0) this.#response.addTrailers(pairsOf(trailers))
    this.#response.end()
    return 'whole'
  }

  fail (): Ending {
    this.flush()
    // Without its last chunk or its whole length it can not be taken for complete.
    cut(this.#response, this.#response.chunkedEncoding || valuesOf(this.#head.headers, 'content-length').length > 0)
    return 'cut'
  }

  /** All of it came at once, so that its length is known. */
  #whole (body: Buffer): Ending {
    this.#begun = true
    const { status, message, headers } = this.#head
    if (valuesOf(headers, 'content-length').length === 0) headers.push('Content-Length', String(body.length))
    this.#response.writeHead(status, message, headers)
    if (body.length <= SMALL) this.#response.end(body.toString('latin1'), 'latin1')
    else this.#response.end(body)
    return 'whole'
  }

  #begin (): void {
    if (this.#begun) return
    this.#begun = true
    const { status, message, headers } = this.#head
    this.#response.writeHead(status, message, headers)
    if (this.#first !== undefined) this.#response.write(this.#first)
    this.#first = undefined
  }
}

/** HEAD, 204, 304: whatever the upstream does after the head changes nothing, and undici gives no data. */
export class NoBody implements ResponseBody {
  constructor (response: ServerResponse, { status, message, headers }: Head) {
    response.writeHead(status, message, headers)
    response.end()
  }

  data (): boolean { return true }
  end (): Ending { return 'whole' }
  fail (): Ending { return 'whole' }
}
