import { SidecarError, type Code } from '../answers/errors.ts'
import { explain } from '../answers/failure.ts'
import type { Clock } from '../clock.ts'
import type { Moment } from './clock.ts'

/** Failed connects in a row that open the circuit. */
const FAILURES = 5
/** ms the circuit stays open at first; doubles with each trial that fails. */
const FIRST = 1_000
/** ms the circuit stays open at most. */
const LONGEST = 30_000

/** Has passed, whatever the time is. */
const AT_ONCE: Moment = { monotonic: -Infinity, wall: -Infinity }

/** Why requests fail at once; `retryIn` is ms until one may try again. */
export interface Trouble { readonly code: Code, readonly detail: string, readonly retryIn: number }

/**
 * Keeps requests from queueing up before an upstream that can not be connected to: they fail at once, with the words
 * of the last failure, while one at a time tries. It never says anything about a token, and one success closes it.
 * The breakers on npm want a newer Node than we do, and all wrap calls, not connects.
 */
export class Circuit {
  readonly clock: Clock
  /** ms that a trial may take before another request may try. */
  readonly #patience: number
  /** Circuits of other lanes to the same upstream: what one learns of its return, they may try for themselves. */
  readonly #siblings: readonly Circuit[]
  readonly #onOpen: (() => void) | undefined
  #failures = 0
  /**
   * Counts the times it opened or closed and the trials that failed: a connect that began before the last of them says
   * nothing new. Else all that were under way when an outage began would each double the wait.
   */
  #round = 0
  /** The last failure. */
  #code: Code = 'upstream_unreachable'
  #detail = ''
  #openFor = FIRST
  /** When the next one may try, by each of the clocks: a machine that sleeps may stop one of them. */
  #retry: Moment = AT_ONCE

  /** @param onOpen told when it opens, not of each trial that fails */
  constructor (clock: Clock, patience: number, siblings: readonly Circuit[] = [], onOpen?: () => void) {
    this.#onOpen = onOpen
    this.clock = clock
    this.#patience = patience
    this.#siblings = siblings
  }

  /** Whether requests fail at once. */
  get open (): boolean { return this.#failures >= FAILURES }

  /** Whether a request would pass now, or try. */
  get passes (): boolean { return !this.open || this.#left <= 0 }

  /** Why they fail, while they do. */
  get trouble (): Trouble | undefined {
    if (!this.open) return undefined
    return { code: this.#code, detail: this.#detail, retryIn: Math.max(0, this.#left) }
  }

  /**
   * Lets a request pass, or the one that tries.
   * @throws SidecarError the last failure, with Retry-After
   */
  enter (): void {
    if (!this.open) return
    const left = this.#left
    if (left > 0) throw new SidecarError(this.#code, { detail: this.#detail, retryAfter: Math.ceil(left / 1000) })
    this.#retry = this.#in(this.#patience)
  }

  /** A connect begins. What it returns goes with its end. */
  begin (): number { return this.#round }

  /** A connect has failed. */
  failed (error: Error, round: number): void {
    if (round !== this.#round) return
    const { code, detail } = explain(error)
    this.#code = code
    this.#detail = detail
    const trial = this.open
    if (!trial && ++this.#failures < FAILURES) return
    this.#openFor = trial ? Math.min(this.#openFor * 2, LONGEST) : FIRST
    this.#retry = this.#in(this.#openFor)
    this.#round++
    if (!trial) this.#onOpen?.()
  }

  /** A connect was given up, since nobody waits for it any longer: if it was the trial, the next request is. */
  abandoned (round: number): void {
    if (round === this.#round) this.#retry = AT_ONCE
  }

  /** A connect has succeeded. An answer on a socket that was kept says nothing about others. */
  succeeded (): void {
    if (this.open) this.#round++
    this.#failures = 0
    this.retry()
  }

  /** Something has changed: a request may try at once, in the other lanes too. */
  retry (): void {
    this.#retry = AT_ONCE
    for (const sibling of this.#siblings) sibling.#retry = AT_ONCE
  }

  /** ms until one may try. */
  get #left (): number { return Math.min(this.#retry.monotonic - this.clock.monotonic(), this.#retry.wall - this.clock.wall()) }

  #in (ms: number): Moment { return { monotonic: this.clock.monotonic() + ms, wall: this.clock.wall() + ms } }
}
