/** Running requests on shutdown: they may finish within the grace time, then they are ended as explained failures. */
export class Drain {
  readonly #running = new Set<() => void>()
  #begun = false
  #idle: (() => void) | undefined

  /** Whether new requests are turned away. */
  get begun (): boolean { return this.#begun }

  /**
   * Counts a request; the function returned must be called when it is over.
   * @param stop ends the request's exchange
   */
  track (stop: () => void): () => void {
    this.#running.add(stop)
    return () => {
      this.#running.delete(stop)
      if (this.#running.size === 0) this.#idle?.()
    }
  }

  /**
   * Turns new requests away and settles when none is under way any more.
   * @param grace ms after which what still runs is stopped
   */
  async begin (grace: number): Promise<void> {
    this.#begun = true
    if (this.#running.size === 0) return
    const idle = new Promise<void>(resolve => { this.#idle = resolve })
    const timer = setTimeout(() => { for (const stop of this.#running) stop() }, grace)
    await idle
    clearTimeout(timer)
  }
}
