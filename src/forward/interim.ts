import type { ServerResponse } from 'node:http'
import { SidecarError } from '../answers/errors.ts'
import { valuesOf } from '../wire/headers.ts'

/** Interim answers to one request; more are no information but a flood, whose bytes nothing else bounds. */
const MOST = 100

/** Interim answers (RFC 9110 section 15.2) on their way to the client: Node can send 102 and 103. */
export class Interim {
  readonly #response: ServerResponse
  #count = 0

  constructor (response: ServerResponse) { this.#response = response }

  /**
   * Passes one on.
   * @param headers a raw list
   * @returns why the request is to be given up, where they do not end
   */
  pass (status: number, headers: readonly string[]): SidecarError | undefined {
    if (++this.#count > MOST) return new SidecarError('upstream_protocol', { detail: 'its interim answers do not end' })
    if (this.#response.req.httpVersion === '1.0') return undefined // which knows none (RFC 9110 section 15.2)
    if (status === 103) this.#hint(valuesOf(headers, 'link'))
    else if (status === 102) this.#response.writeProcessing()
    return undefined
  }

  /** Node takes only some of what a Link field may hold (RFC 8288), and throws at the rest; hints can be left out. */
  #hint (link: string[]): void {
    if (link.length === 0) return
    try {
      this.#response.writeEarlyHints({ link })
    } catch { /* the answer itself is still to come */ }
  }
}
