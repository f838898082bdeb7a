import type { Clock } from '../clock.ts'

/** ms between two looks at the clock. */
const TICK = 1_000
/** ms between two looks beyond which this machine, or this process, stood still in between. */
const STILL = 5_000

/**
 * Finds out that time has passed in which nothing ran: a laptop slept, a container was frozen. Timers do not tell: most
 * systems hold them with all the rest, and some the monotonic clock too, so that both clocks are looked at.
 */
export class Standstill {
  readonly #clock: Clock
  readonly #onEnd: () => void
  readonly #needed: () => boolean
  #monotonic = 0
  #wall = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * @param needed whether anything could still grow old; looked at now and then
   * @param onEnd called once for each standstill, at the first look after it
   */
  constructor (clock: Clock, needed: () => boolean, onEnd: () => void) {
    this.#clock = clock
    this.#needed = needed
    this.#onEnd = onEnd
  }

  /** Looks at the clocks now, and every second from now on. */
  look (): void {
    const monotonic = this.#clock.monotonic()
    const wall = this.#clock.wall()
    const gap = Math.max(monotonic - this.#monotonic, wall - this.#wall)
    this.#monotonic = monotonic
    this.#wall = wall
    if (this.#timer === undefined) this.#timer = setInterval(() => { this.#tick() }, TICK).unref()
    else if (gap > STILL) this.#onEnd()
  }

  /** Looks no more, until asked to. */
  stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick (): void {
    this.look()
    if (!this.#needed()) this.stop()
  }
}
