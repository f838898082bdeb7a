/** Choices that are told apart. */
const MOST = 1_024

/** The choices of a chat: each ends with its own `finish_reason`. */
export class Choices {
  /** Those seen, by their index: whether they have theirs. */
  readonly #seen = new Map<number, boolean>()
  #changed: [index: number, finished: boolean][] = []
  /** Of the one that is being read. */
  index = 0
  finished = false

  /** Whether there are any, and all of them have ended. */
  get over (): boolean { return this.#seen.size > 0 && [...this.#seen.values()].every(finished => finished) }

  /** One has been read; its event has not. */
  next (): void {
    this.#changed.push([this.index, this.finished])
    this.index = 0
    this.finished = false
  }

  /** Its event is whole. Once finished, a choice stays so: some servers send what they have filtered behind it. */
  take (): void {
    for (const [index, finished] of this.#changed) if (this.#seen.size < MOST) this.#seen.set(index, finished || this.#seen.get(index) === true)
  }

  /** Another event begins. */
  reset (): void {
    if (this.#changed.length > 0) this.#changed = []
    this.index = 0
    this.finished = false
  }
}
