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
    const link = valuesOf(headers, 'link')
    if (status === 103 && link.length > 0) this.#response.writeEarlyHints({ link })
    else if (status === 102) this.#response.writeProcessing()
    return undefined
  }
}
