import type { ServerResponse } from 'node:http'
import type { SidecarError } from './errors.ts'
import { pairsOf } from './headers.ts'
import { EventStream, failureEvent, type StreamProtocol } from './sse.ts'

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

/** Bytes that go through as they come. */
export class PlainBody implements ResponseBody {
  readonly #response: ServerResponse
  #begun = false

  constructor (response: ServerResponse) {
    this.#response = response
    // The head must not wait for a body that is late; one that came with it shares its packet.
    process.nextTick(() => { if (!this.#begun) response.flushHeaders() })
  }

  data (chunk: Buffer): boolean {
    this.#begun = true
    return this.#response.write(chunk)
  }

  end (trailers: readonly string[]): Ending {
    // Node sends trailers on chunked answers only, and drops them on others (RFC 9110 section 6.5.1).
    this.#begun = true
    if (trailers.length > 0) this.#response.addTrailers(pairsOf(trailers))
    this.#response.end()
    return 'whole'
  }

  fail (): Ending {
    this.#response.destroy() // without its last chunk or its whole length it can not be taken for complete
    return 'cut'
  }
}

/** HEAD, 204, 304: whatever the upstream does after the head changes nothing, and undici gives no data. */
export class NoBody extends PlainBody {
  constructor (response: ServerResponse) {
    super(response)
    super.end([])
  }

  override end (): Ending { return 'whole' }
  override fail (): Ending { return 'whole' }
}

/** An event stream: unbuffered but for its last, incomplete event, so that a failure can be told on an event boundary. */
export class EventStreamBody implements ResponseBody {
  readonly #response: ServerResponse
  readonly #protocol: StreamProtocol
  readonly #plain: PlainBody
  readonly #stream: EventStream

  constructor (response: ServerResponse, protocol: StreamProtocol) {
    this.#response = response
    this.#protocol = protocol
    this.#plain = new PlainBody(response)
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
    this.#response.end(failureEvent(this.#protocol, { code, message }))
    return 'explained'
  }
}
