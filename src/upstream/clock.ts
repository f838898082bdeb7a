import type { Clock } from '../clock.ts'

/** ms for which what an upstream said of the time counts. */
const HOLDS = 3_600_000
/** ms after which the next answer's Date is read. */
const STALE = 60_000
/** ms between two questions for the time, whatever came of the first one. */
const GAP = 10_000
/** ms that an answer may take for its Date to be noted: it says when the answer was made, not when it came through. */
const PROMPT = 30_000
/** ms by which the two clocks of this machine may part: more is a sleep, or somebody has set the clock. */
const PARTED = 5_000

/** Where to learn what time it is where tokens are judged. */
export interface JudgingClock {
  /** ms since 1970; undefined where nothing sure is known. */
  readonly now: () => number | undefined
  /** The same, once somebody who knows has been asked. */
  readonly confirm: () => Promise<number | undefined>
  /** This machine's own opinion: what may be, and counts only together with the upstream's. */
  readonly wall: () => number
}

/** Both clocks of this machine, ms. */
export interface Moment { readonly monotonic: number, readonly wall: number }

/**
 * The time as an upstream tells it in the Date field of its answers (RFC 9110 section 6.6.1), by which it judges tokens.
 * The wall clock of a laptop that slept, or of a machine with two systems, is hours off (microsoft/WSL#4245).
 */
export class UpstreamClock implements JudgingClock {
  readonly #clock: Clock
  readonly #ask: () => Promise<number | undefined>
  /** When the upstream's was `date`, ms. */
  #noted: Moment & { readonly date: number } | undefined
  #flight: Promise<number | undefined> | undefined
  #askAt = -Infinity

  /** @param ask gets the upstream's time, ms since 1970, by a request that carries no credential; it does not throw */
  constructor (clock: Clock, ask: () => Promise<number | undefined>) {
    this.#clock = clock
    this.#ask = ask
  }

  /** Whether the next answer should be noted. */
  get stale (): boolean {
    const noted = this.#noted
    return noted === undefined || this.#clock.monotonic() - noted.monotonic > STALE || this.#parted(noted)
  }

  /** Now. */
  moment (): Moment { return { monotonic: this.#clock.monotonic(), wall: this.#clock.wall() } }

  /**
   * Takes in the time that an answer tells which came just now, ms since 1970. One that was long under way may be as old as its request:
   * this machine may have slept in between, and a clock that is behind would refuse tokens that are new.
   * @param since when its request began
   */
  note (date: number | undefined, since: Moment): void {
    const now = this.moment()
    const took = Math.max(now.monotonic - since.monotonic, now.wall - since.wall)
    if (date !== undefined && took <= PROMPT) this.#noted = { date, ...now }
  }

  now (): number | undefined {
    const noted = this.#noted
    if (noted === undefined || this.#parted(noted)) return undefined
    const since = this.#clock.monotonic() - noted.monotonic
    return since > HOLDS ? undefined : noted.date + since
  }

  wall (): number { return this.#clock.wall() }

  /** ms that the upstream's clock is ahead of this machine's; undefined where it is not known. */
  get offset (): number | undefined {
    const now = this.now()
    return now === undefined ? undefined : now - this.#clock.wall()
  }

  /** Asks for the time where it is not known: once for all who wait, and not all the time. */
  confirm (): Promise<number | undefined> {
    const since = this.moment()
    if (this.now() === undefined && this.#flight === undefined && since.monotonic >= this.#askAt) {
      this.#askAt = since.monotonic + GAP
      this.#flight = this.#ask().then(date => {
        this.#flight = undefined
        this.note(date, since)
        return this.now()
      })
    }
    return this.#flight ?? Promise.resolve(this.now())
  }

  #parted ({ monotonic, wall }: Moment): boolean {
    return Math.abs((this.#clock.wall() - wall) - (this.#clock.monotonic() - monotonic)) > PARTED
  }
}
