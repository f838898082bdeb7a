import type { ServerResponse } from 'node:http'
import type { SidecarError } from '../answers/errors.ts'
import type { Ending } from '../telemetry/ending.ts'
import { abandon } from './cut.ts'
import type { HeldBody, ResponseBody } from './response-body.ts'

/** Bytes that do not wait for the others of their turn. */
const ENOUGH = 65_536

/**
 * Hands on what one read from the upstream brought as one piece. undici gives each HTTP chunk by itself, and a read of a
 * fast stream holds hundreds; to look at and to write each of them is most of what such a stream would cost.
 * Nothing waits longer than until the read has been taken apart.
 */
export class Batch implements ResponseBody {
  readonly #response: ServerResponse
  readonly #body: HeldBody
  #chunks: Buffer[] = []
  #bytes = 0
  #due = true
  /** Whether the client takes what it is given. `writableNeedDrain` stays set on the answer to an upgrade, whose `drain` is passed on to it. */
  #flowing = true

  constructor (response: ServerResponse, body: HeldBody) {
    this.#response = response
    this.#body = body
    process.nextTick(Batch.#leave, this) // the head does not wait for a body that is late
  }

  static readonly #leave = (batch: Batch): void => {
    batch.#due = false
    if (batch.#response.writableEnded || batch.#response.destroyed) return
    try {
      batch.#handOn()
      batch.#body.flush()
    } catch {
      abandon(batch.#response) // a field that undici took and Node does not: nobody else would catch it here
    }
  }

  data (chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= ENOUGH) this.#handOn()
    else if (!this.#due) {
      this.#due = true
      process.nextTick(Batch.#leave, this)
    }
    return this.#flowing
  }

  end (trailers: readonly string[]): Ending | Promise<Ending> {
    this.#handOn()
    return this.#body.end(trailers)
  }

  fail (error: SidecarError): Ending | Promise<Ending> {
    this.#handOn()
    return this.#body.fail(error)
  }

  #handOn (): void {
    const chunks = this.#chunks
    if (chunks.length === 0) return
    this.#chunks = []
    this.#bytes = 0
    const taken = this.#body.data(chunks.length === 1 ? chunks[0] as Buffer : Buffer.concat(chunks))
    if (taken || !this.#flowing) return
    this.#flowing = false
    this.#response.once('drain', () => { this.#flowing = true })
  }
}
