/** Something under way that a shutdown has to do with. */
export interface Running {
  /** Ends it; its grace is over. */
  stop?: () => void
  /** Told when the grace begins. */
  drain?: () => void
}

/** Running requests on shutdown: they may finish within the grace time, then they are ended as explained failures. */
export class Drain {
  /** Places, some of them free. A Set would keep what it held in outgrown tables, whence V8 takes it for long-lived: a fifth of a request. */
  readonly #running: (Running | undefined)[] = []
  readonly #free: number[] = []
  #begun = false
  readonly #waiting: (() => void)[] = []

  /** Whether new requests are turned away. */
  get begun (): boolean { return this.#begun }

  get #isIdle (): boolean { return this.#free.length === this.#running.length }

  /** Counts something under way; the function returned must be called when it is over. */
  track (running: Running): () => void {
    const place = this.#free.pop() ?? this.#running.length
    this.#running[place] = running
    return () => {
      if (this.#running[place] !== running) return
      this.#running[place] = undefined
      this.#free.push(place)
      if (this.#isIdle) for (const idle of this.#waiting.splice(0)) idle()
    }
  }

  /** Settles when nothing is under way; what may still come is not waited for. */
  async idle (): Promise<void> {
    if (!this.#isIdle) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
  }

  /**
   * Turns new requests away and settles when none is under way any more.
   * @param grace ms after which what still runs is stopped
   */
  async begin (grace: number): Promise<void> {
    this.#begun = true
    await this.end(grace)
  }

  /** Waits and stops as `begin` does, but takes what still comes. */
  async end (grace: number): Promise<void> {
    const idle = this.idle()
    for (const running of this.#running) running?.drain?.()
    const timer = setTimeout(() => { for (const running of this.#running) running?.stop?.() }, grace)
    await idle
    clearTimeout(timer)
  }
}
