import { SidecarError, type Code } from '../answers/errors.ts'
import { explain } from '../answers/failure.ts'
import type { Clock } from '../clock.ts'

/** Failed connects in a row that open the circuit. */
const FAILURES = 5
/** ms the circuit stays open at first; doubles with each trial that fails. */
const FIRST = 1_000
/** ms the circuit stays open at most. */
const LONGEST = 30_000

/** Why requests fail at once; `retryIn` is ms until one may try again. */
export interface Trouble { readonly code: Code, readonly detail: string, readonly retryIn: number }

/**
 * Keeps requests from queueing up before an upstream that can not be connected to: they fail at once, with the words
 * of the last failure, while one at a time tries. It never says anything about a token, and one success closes it.
 * The breakers on npm want a newer Node than we do, and all wrap calls, not connects.
 */
export class Circuit {
  readonly #clock: Clock
  /** ms that a trial may take before another request may try. */
  readonly #patience: number
  #failures = 0
  /** The last failure. */
  #code: Code = 'upstream_unreachable'
  #detail = ''
  #openFor = FIRST
  #retryAt = 0

  constructor (clock: Clock, patience: number) {
    this.#clock = clock
    this.#patience = patience
  }

  /** Whether requests fail at once. */
  get open (): boolean { return this.#failures >= FAILURES }

  /** Why they fail, while they do. */
  get trouble (): Trouble | undefined {
    if (!this.open) return undefined
    return { code: this.#code, detail: this.#detail, retryIn: Math.max(0, this.#retryAt - this.#clock.monotonic()) }
  }

  /**
   * Lets a request pass, or the one that tries.
   * @throws SidecarError the last failure, with Retry-After
   */
  enter (): void {
    if (!this.open) return
    const now = this.#clock.monotonic()
    if (now < this.#retryAt) throw new SidecarError(this.#code, { detail: this.#detail, retryAfter: Math.ceil((this.#retryAt - now) / 1000) })
    this.#retryAt = now + this.#patience
  }

  /** A connect has failed. */
  failed (error: Error): void {
    const { code, detail } = explain(error)
    this.#code = code
    this.#detail = detail
    if (++this.#failures < FAILURES) return
    this.#openFor = this.#failures === FAILURES ? FIRST : Math.min(this.#openFor * 2, LONGEST)
    this.#retryAt = this.#clock.monotonic() + this.#openFor
  }

  /** A connect has succeeded, or an answer came. */
  succeeded (): void { this.#failures = 0 }
}
