import type { ServerResponse } from 'node:http'
import type { SidecarError } from '../../answers/errors.ts'
import type { Ending } from '../../telemetry/ending.ts'
import { EventStream } from '../../wire/event-stream/event-stream.ts'
import { failureEvent, signOfLife } from '../../wire/event-stream/failure-events.ts'
import { lastEventIn } from '../../wire/event-stream/last-event.ts'
import type { StreamProtocol } from '../../wire/event-stream/protocols.ts'
import { Sniffer } from '../../wire/event-stream/sniffer.ts'
import { PlainBody } from '../plain-body.ts'
import type { Head, HeldBody } from '../response-body.ts'
import { breakOf, canExplain, clientOf, deedFor, words, type Break, type Client, type EndingRow } from './endings.ts'
import { Heartbeat } from './heartbeat.ts'
import { HeldEvents } from './held-events.ts'

/** What is known of a stream before its first byte. */
export interface StreamOptions {
  /** That of its path. */
  readonly protocol: StreamProtocol
  /** Whether its head says that it is one. */
  readonly declared: boolean
  /** ms of silence until a sign of life is put in. */
  readonly heartbeat: number | undefined
  /** Is told an error event that can be read, as parsed JSON. */
  readonly overhear: (event: unknown) => void
  /** What is done about ways to break, where that is not the table of all. */
  readonly endings?: readonly EndingRow[]
}

/**
 * What may be an event stream. Its bytes decide, beside their way, and nothing waits for that. Once it is one, it is followed
 * to its end; its last, incomplete event is held back only where an event of ours could have to stand in its place.
 */
export class EventStreamBody implements HeldBody {
  readonly #response: ServerResponse
  readonly #options: StreamOptions
  readonly #client: Client
  readonly #plain: PlainBody
  /** Undefined once it is known that there is none, or nothing left to see. */
  #stream: EventStream | undefined
  /** Until it is decided. */
  #sniffer: Sniffer | undefined
  #held: HeldEvents | undefined
  readonly #heartbeat: Heartbeat | undefined

  constructor (response: ServerResponse, head: Head, options: StreamOptions) {
    this.#response = response
    this.#options = options
    this.#client = clientOf(response.req.headers)
    this.#plain = new PlainBody(response, head, options.declared)
    this.#stream = new EventStream(options.protocol)
    this.#sniffer = new Sniffer(options.declared)
    const { heartbeat } = options
    if (heartbeat !== undefined) this.#heartbeat = new Heartbeat(response, heartbeat, () => { this.#beat() })
  }

  data (chunk: Buffer): boolean {
    const stream = this.#stream
    if (stream === undefined || stream.terminated) return this.#plain.data(chunk)
    this.#heartbeat?.heard()
    const within = !stream.onBoundary && this.#held?.any !== true
    const boundary = stream.push(chunk)
    if (this.#sniffer !== undefined && !this.#decided(this.#sniffer, chunk)) return this.#plain.data(chunk)
    if (stream.foreign) this.#over()
    if (stream.failed) this.#options.overhear(lastEventIn(chunk))
    if (this.#held === undefined) return this.#plain.data(chunk)
    // Where nothing of ours can follow any more, nothing is held back.
    const events = this.#held.push(chunk, this.#mayNeedOurs(stream) ? boundary : chunk.length, within)
    return events.length === 0 || this.#plain.data(events)
  }

  flush (): void { this.#plain.flush() }

  end (trailers: readonly string[]): Ending {
    const stream = this.#stream
    const undecided = this.#sniffer !== undefined && !this.#options.declared
    stream?.finish()
    this.#over()
    if (stream !== undefined && !undecided && !stream.mayEnd) return this.#broken(stream, 'ended', 'upstream_reset')
    this.#passOn()
    return this.#plain.end(trailers)
  }

  fail ({ code }: SidecarError): Ending {
    const stream = this.#stream
    this.#over()
    if (stream?.terminated === true) return this.#plain.end([])
    return stream === undefined || (this.#sniffer !== undefined && !this.#options.declared)
      ? this.#plain.fail()
      : this.#broken(stream, breakOf(code), code)
  }

  /** Takes in what the first bytes say. Returns whether it is an event stream. */
  #decided (sniffer: Sniffer, chunk: Buffer): boolean {
    const decision = sniffer.push(chunk)
    if (decision === undefined) return false
    this.#sniffer = undefined
    if (decision) {
      this.#plain.keepOpen()
      if (this.#options.heartbeat !== undefined || canExplain(this.#client, this.#options.endings)) this.#held = new HeldEvents()
    } else this.#over()
    return decision
  }

  /** Nothing takes the place of what was held back. */
  #passOn (): void {
    const rest = this.#held?.rest()
    if (rest !== undefined && rest.length > 0) this.#plain.data(rest)
  }

  /** Nothing is followed any more, and nothing put in. */
  #over (): void {
    this.#stream = undefined
    this.#heartbeat?.stop()
  }

  #broken (stream: EventStream, how: Break, code: string): Ending {
    const { protocol } = stream
    // What is no model's has no words that its clients would know; what can be resumed has not failed.
    const deed = protocol === 'other' || stream.resumable ? 'cut' : deedFor(this.#client, protocol, how, this.#options.endings)
    if (deed === 'cut' || protocol === 'other' || !this.#mayFollow(stream)) {
      this.#passOn()
      return this.#plain.fail()
    }
    this.#plain.data(Buffer.from(failureEvent(protocol, { code, message: words[how] }, stream.known)))
    if (deed === 'explain') this.#plain.end([])
    else this.#plain.fail()
    return 'explained'
  }

  /** Whether an event of ours could still have to follow. */
  #mayNeedOurs ({ terminated, foreign }: EventStream): boolean { return !terminated && !foreign }

  /** Whether what the client has ends on an event boundary. */
  #mayFollow (stream: EventStream): boolean { return stream.onBoundary || this.#held?.any === true }

  #beat (): void {
    const stream = this.#stream
    if (stream === undefined || stream.terminated || stream.protocol === 'other' || !this.#mayFollow(stream) || this.#response.writableNeedDrain) return
    if (this.#sniffer === undefined || this.#options.declared) {
      this.#plain.flush()
      this.#plain.data(Buffer.from(signOfLife(stream.protocol, stream.known)))
    }
  }
}
