/** Something under way that a shutdown has to do with. */
export interface Running {
  /** Ends it; its grace is over. */
  stop?: () => void
  /** Told when the grace begins. */
  drain?: () => void
}

/** Running requests on shutdown: they may finish within the grace time, then they are ended as explained failures. */
export class Drain {
  readonly #running = new Set<Running>()
  #begun = false
  readonly #waiting: (() => void)[] = []

  /** Whether new requests are turned away. */
  get begun (): boolean { return this.#begun }

  /** Counts something under way; the function returned must be called when it is over. */
  track (running: Running): () => void {
    this.#running.add(running)
    return () => {
      this.#running.delete(running)
      if (this.#running.size === 0) for (const idle of this.#waiting.splice(0)) idle()
    }
  }

  /** Settles when nothing is under way; what may still come is not waited for. */
  async idle (): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
  }

  /**
   * Turns new requests away and settles when none is under way any more.
   * @param grace ms after which what still runs is stopped
   */
  async begin (grace: number): Promise<void> {
    this.#begun = true
    const idle = this.idle()
    for (const running of this.#running) running.drain?.()
    const timer = setTimeout(() => { for (const { stop } of this.#running) stop?.() }, grace)
    await idle
    clearTimeout(timer)
  }
}
