import type { ServerResponse } from 'node:http'
import { pathOf } from './conformance.ts'
import type { SidecarError } from './errors.ts'
import { pairsOf, valuesOf } from './headers.ts'
import { EventStream, failureEvent, protocolOf, type StreamProtocol } from './sse.ts'

/** How an answer ended for the client. */
export type Ending =
  | 'whole'
  /** Broken by the upstream, and said so in the stream. */
  | 'explained'
  /** Broken by the upstream, and cut so that it is seen. */
  | 'cut'
  /** Answered in our own name. */
  | 'ours'
  /** The client left first. */
  | 'client_gone'

/** The body of an upstream answer on its way to the client. */
export interface ResponseBody {
  /** False when the client can not take more for now. */
  data: (chunk: Buffer) => boolean
  /** The upstream's framing says that this was all. */
  end: (trailers: readonly string[]) => Ending
  /** The upstream failed before that. */
  fail: (error: SidecarError) => Ending
}

/** Head of an answer, its fields end-to-end and as the upstream wrote them. */
export interface Head { readonly status: number, readonly message: string, readonly headers: string[] }

/** Bytes of a body that goes out in one string with its head: Node writes one string several times faster than pieces. */
const SMALL = 16_384

/** Bytes that go through as they come. */
export class PlainBody implements ResponseBody {
  readonly #response: ServerResponse
  readonly #head: Head
  /** The first bytes, until it is known whether they are all. */
  #first: Buffer | undefined
  #begun = false

  constructor (response: ServerResponse, head: Head) {
    this.#response = response
    this.#head = head
    // The head does not wait for a body that is late; what came with it shares its packet.
    process.nextTick(PlainBody.#sendHead, this)
  }

  static readonly #sendHead = (body: PlainBody): void => {
    try {
      body.#begin()
      if (!body.#response.writableEnded) body.#response.flushHeaders()
    } catch {
      body.fail() // a field that undici took and Node does not: nobody else would catch it here
    }
  }

  data (chunk: Buffer): boolean {
    if (!this.#begun && this.#first === undefined) {
      this.#first = chunk
      return true
    }
    this.#begin()
    return this.#response.write(chunk)
  }

  end (trailers: readonly string[]): Ending {
    if (!this.#begun && trailers.length === 0) return this.#whole(this.#first ?? Buffer.alloc(0))
    this.#begin()
    // Node sends trailers on chunked answers only, and drops them on others (RFC 9110 section 6.5.1).
    if (trailers.length > 0) this.#response.addTrailers(pairsOf(trailers))
    this.#response.end()
    return 'whole'
  }

  fail (): Ending {
    this.#begin()
    this.#response.destroy() // without its last chunk or its whole length it can not be taken for complete
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

/** An event stream: unbuffered but for its last, incomplete event, so that a failure can be told on an event boundary. */
export class EventStreamBody implements ResponseBody {
  readonly #protocol: StreamProtocol
  readonly #plain: PlainBody
  readonly #stream: EventStream

  constructor (response: ServerResponse, head: Head, protocol: StreamProtocol) {
    this.#protocol = protocol
    this.#plain = new PlainBody(response, head)
    this.#stream = new EventStream(protocol)
  }

  data (chunk: Buffer): boolean {
    const events = this.#stream.push(chunk)
    return events.length === 0 || this.#plain.data(events)
  }

  end (trailers: readonly string[]): Ending {
    const rest = this.#stream.flush()
    if (!this.#stream.mayEnd) {
      return this.#explain('upstream_reset', 'The upstream ended the stream before it was complete. What came so far is not the whole answer; retry.')
    }
    if (rest.length > 0) this.#plain.data(rest)
    return this.#plain.end(trailers)
  }

  fail ({ code, message }: SidecarError): Ending {
    return this.#stream.terminated ? this.#plain.end([]) : this.#explain(code, message)
  }

  #explain (code: string, message: string): Ending {
    if (!this.#stream.onBoundary) return this.#plain.fail()
    this.#plain.data(Buffer.from(failureEvent(this.#protocol, { code, message })))
    this.#plain.end([])
    return 'explained'
  }
}

const eventStream = /^text\/event-stream\s*(?:;|$)/i

/** An event of ours can follow in this stream: it is not compressed and has no declared length. */
const explainable = (headers: readonly string[]): boolean =>
  eventStream.test(valuesOf(headers, 'content-type')[0] ?? '') &&
  valuesOf(headers, 'content-length').length === 0 &&
  /^(?:identity)?$/i.test(valuesOf(headers, 'content-encoding').join())

/** Begins an answer to the client: as a stream that can explain itself where it is one. `path` is that of the request. */
export function bodyFor (response: ServerResponse, head: Head, path: string): ResponseBody {
  if (response.req.method === 'HEAD' || head.status === 204 || head.status === 304) return new NoBody(response, head)
  return explainable(head.headers) ? new EventStreamBody(response, head, protocolOf(pathOf(path))) : new PlainBody(response, head)
}
