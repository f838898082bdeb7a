import type { ServerResponse } from 'node:http'

/** Calls again and again while a stream is silent. */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout
  #stopped = false

  /** @param every ms */
  constructor (response: ServerResponse, every: number, beat: () => void) {
    this.#timer = setTimeout(() => {
      beat()
      this.heard()
    }, every)
    response.once('close', () => { this.stop() })
  }

  /** The stream has said something by itself. */
  heard (): void {
    if (!this.#stopped) this.#timer.refresh() // which would also set off one that is over
  }

  stop (): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
