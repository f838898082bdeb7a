import type { SidecarError } from '../answers/errors.ts'
import { valuesOf } from '../wire/headers.ts'

/** RFC 9110 section 9.2.2. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** ms after its sending within which the end of a kept socket says that nobody has begun on the request: the upstream had closed it already. */
const STALE = 250

/** How far a request got at the upstream, and whether it can be sent once more without being done, and paid for, twice. */
export class Progress {
  readonly #repeatable: boolean
  #replayed = false
  #sentAt = 0
  #answered = false
  /** Whether all of it was sent. */
  sent = false

  /** @param headers a raw list */
  constructor (method: string, headers: readonly string[]) {
    this.#repeatable = idempotent.has(method) || valuesOf(headers, 'idempotency-key').length > 0
  }

  /** Its first byte is sent. */
  begin (): void { this.#sentAt = performance.now() }

  /** The first byte of an answer came. */
  answered (): void { this.#answered = true }

  /**
   * Whether a request that failed on a kept socket is to be sent again, which it is at most once. The socket must have
   * ended, since after a time-out the upstream may still be at work; and either the request may be done twice
   * (RFC 9110 section 9.2.2), or nobody has begun on it.
   */
  replay ({ code }: SidecarError): boolean {
    if (this.#replayed || this.#answered || code !== 'upstream_reset') return false
    if (!this.#repeatable && performance.now() - this.#sentAt > STALE) return false
    this.#replayed = true
    this.sent = false
    return true
  }
}
