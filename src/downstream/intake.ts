import type { Writable } from 'node:stream'

/** What a client takes of what there is for it. One that takes nothing for too long is not waited for: it holds a place. */
export class Intake {
  readonly #client: Writable
  readonly #patience: number
  #timer: NodeJS.Timeout | undefined

  /** @param patience ms without anything taken after which the client's connection ends */
  constructor (client: Writable, patience: number) {
    this.#client = client
    this.#patience = patience
  }

  /** The client is full. `resume` is called when it takes more. */
  wait (resume: () => void): void {
    this.#timer = setTimeout(() => { this.#client.destroy() }, this.#patience)
    this.#client.once('drain', () => {
      clearTimeout(this.#timer)
      resume()
    })
  }

  /** There is nothing more for it. */
  end (): void { clearTimeout(this.#timer) }
}
