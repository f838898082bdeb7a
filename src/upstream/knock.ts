/** ms between two knocks: who comes back is known of within that and the time of one connect. */
const GAP = 1_000
/** Knocks after the last request that was refused. */
const LAST = 60

/** What is asked for by knocking. */
export interface Knocked {
  /** Connects and hangs up; rejects where nothing can be connected to. */
  readonly reach: () => Promise<void>
  /** Whether there is still anything to find out. */
  readonly wanted: () => boolean
  /** It can be connected to. */
  readonly onReached: () => void
}

/**
 * Tries to connect while requests are refused for want of a connection, so that none is refused any more once the network is
 * back: the circuit alone would wait for up to half a minute. It ends when nobody has asked for a minute.
 */
export class Knock {
  readonly #knocked: Knocked
  #left = 0
  #timer: NodeJS.Timeout | undefined

  constructor (knocked: Knocked) { this.#knocked = knocked }

  /** A request was refused. */
  begin (): void {
    this.#left = LAST
    this.#timer ??= setTimeout(this.#next, GAP).unref()
  }

  /** Ends it; it can begin again. */
  stop (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  readonly #next = (): void => {
    const { reach, wanted, onReached } = this.#knocked
    if (!wanted() || this.#left-- === 0) return this.stop()
    // Beside those that are not answered yet: the system repeats their first packets after 1, 2, 4 s, and the path may be back sooner.
    this.#timer = setTimeout(this.#next, GAP).unref()
    void reach().then(onReached, () => {})
  }
}
