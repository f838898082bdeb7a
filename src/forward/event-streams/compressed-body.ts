import type { ServerResponse } from 'node:http'
import type { Ending } from '../../telemetry/ending.ts'
import { EventStream } from '../../wire/event-stream/event-stream.ts'
import type { StreamProtocol } from '../../wire/event-stream/protocols.ts'
import { Sniffer } from '../../wire/event-stream/sniffer.ts'
import { PlainBody } from '../plain-body.ts'
import type { Head, HeldBody } from '../response-body.ts'
import { Beside, type Open } from './decoder.ts'

export interface CompressedOptions {
  /** That of its path. */
  readonly protocol: StreamProtocol
  /** Whether its head says that it is an event stream. */
  readonly declared: boolean
  readonly decoder: Open
}

/** A compressed body that may be an event stream: its bytes go through untouched, and are read beside for whether it is whole. */
export class CompressedBody implements HeldBody {
  readonly #plain: PlainBody
  readonly #stream: EventStream
  readonly #sniffer: Sniffer
  /** Whether it is an event stream, as far as its bytes have said. */
  #is: boolean | undefined
  readonly #declared: boolean
  readonly #beside: Beside

  constructor (response: ServerResponse, head: Head, { protocol, declared, decoder }: CompressedOptions) {
    this.#plain = new PlainBody(response, head, declared)
    this.#stream = new EventStream(protocol)
    this.#declared = declared
    this.#sniffer = new Sniffer(declared)
    this.#beside = new Beside(decoder, bytes => { this.#read(bytes) })
    response.once('close', () => { this.#beside.giveUp() })
  }

  data (chunk: Buffer): boolean {
    this.#beside.write(chunk)
    return this.#plain.data(chunk)
  }

  flush (): void { this.#plain.flush() }

  /**
   * An orderly end within the coding is none: the client's decoder may be one that does not mind. What cannot be read is not
   * judged: the client's own decoder cannot read it either, or it is too much.
   */
  async end (trailers: readonly string[]): Promise<Ending> {
    const reading = await this.#beside.finish()
    this.#stream.finish()
    const broken = reading === 'broken off' ? !this.#stream.terminated : reading === 'whole' && !this.#stream.mayEnd
    return broken && (this.#is ?? this.#declared) ? this.#plain.fail() : this.#plain.end(trailers)
  }

  async fail (): Promise<Ending> {
    await this.#beside.finish()
    return this.#stream.terminated ? this.#plain.end([]) : this.#plain.fail()
  }

  #read (bytes: Buffer): void {
    this.#is ??= this.#sniffer.push(bytes)
    if (this.#is === false || this.#stream.terminated) this.#beside.giveUp()
    else this.#stream.push(bytes)
  }
}
