import type { ServerResponse } from 'node:http'
import type { SidecarError } from '../answers/errors.ts'
import type { Ending } from '../telemetry/ending.ts'
import { valuesOf } from '../wire/headers.ts'
import { EventStream, failureEvent, type StreamProtocol } from '../wire/sse.ts'
import { PlainBody } from './plain-body.ts'
import type { Head, HeldBody } from './response-body.ts'

/** An event stream: unbuffered but for its last, incomplete event, so that a failure can be told on an event boundary. */
export class EventStreamBody implements HeldBody {
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

  flush (): void { this.#plain.flush() }

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

/** Whether an event of ours can follow in a stream with this head: it is not compressed and has no declared length. */
export const explainable = (headers: readonly string[]): boolean =>
  eventStream.test(valuesOf(headers, 'content-type')[0] ?? '') &&
  valuesOf(headers, 'content-length').length === 0 &&
  /^(?:identity)?$/i.test(valuesOf(headers, 'content-encoding').join())
