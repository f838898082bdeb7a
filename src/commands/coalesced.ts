/** ms without being asked after which what was asked for meanwhile is done. */
const QUIET = 200

/** ms after it was done in which another one waits for quiet too: signals come one by one, each after the act that the one before began. */
const REST = 1_000

/** ms that it is put off for at most. */
const LONGEST = 2_000

/**
 * What is done on request, at once; but who asks for it again while it is being done, or before that has been quiet for a
 * moment, gets one more for all. Nothing is done twice at a time.
 */
export class Coalesced {
  readonly #act: () => Promise<void>
  #running: Promise<void> | undefined
  #due: NodeJS.Timeout | undefined
  #since = 0
  /** When it was done last. */
  #ended = -Infinity

  constructor (act: () => Promise<void>) { this.#act = act }

  /** Asks for it. */
  ask (): void {
    const now = performance.now()
    if (this.#running === undefined && this.#due === undefined && now > this.#ended + REST) return this.#begin()
    if (this.#due === undefined) this.#since = now
    clearTimeout(this.#due)
    this.#due = setTimeout(() => {
      this.#due = undefined
      this.#begin()
    }, Math.max(0, Math.min(QUIET, this.#since + LONGEST - now)))
  }

  /** What is due is not done any more. Settles when nothing is being done. */
  async end (): Promise<void> {
    clearTimeout(this.#due)
    await this.#running
  }

  #begin (): void {
    const running = (this.#running ?? Promise.resolve()).then(this.#act).finally(() => {
      this.#ended = performance.now()
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
  }
}
