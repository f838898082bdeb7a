import type { Code, SidecarError } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import { pathOf } from '../wire/target.ts'
import type { RequestRecord } from './record.ts'

/** Characters of a path that are kept: it may be as long as all headers. */
const PATH = 200

/** One answer in our own name. */
export interface Refusal {
  /** ms since 1970. */
  readonly at: number
  readonly status: number
  readonly code: Code
  /** What fills the code's words. */
  readonly detail: string
  readonly requestId: string
  readonly method?: string
  /** Without its query. */
  readonly path?: string
  /** Prefix of its route. */
  readonly route?: string | undefined
  /** 8 hex digits of the fingerprint. */
  readonly token?: string | undefined
}

/** The last answers in our own name. Older ones are in the log. */
export class Refusals implements Iterable<Refusal> {
  readonly #most: number
  readonly #clock: Clock
  readonly #kept: Refusal[] = []
  /** Where the next one goes. */
  #next = 0

  /** @param most kept at most */
  constructor (most: number, clock: Clock) {
    this.#most = most
    this.#clock = clock
  }

  /** A request is over; it counts if the answer was ours. */
  finished ({ id, method, target, endedAt, status, code, detail = '', route, credential }: RequestRecord): void {
    if (code === undefined) return
    this.#add({ at: endedAt, status: status as number, code, detail, requestId: id, method, path: pathOf(target).slice(0, PATH), route, token: credential?.toString() })
  }

  /** What never became a request was answered. */
  bare ({ status, code, detail }: SidecarError, requestId: string): void {
    this.#add({ at: this.#clock.wall(), status, code, detail, requestId })
  }

  /** The latest one first. */
  * [Symbol.iterator] (): Generator<Refusal> {
    for (let i = 1; i <= this.#kept.length; i++) yield this.#kept.at(this.#next - i) as Refusal
  }

  #add (refusal: Refusal): void {
    this.#kept[this.#next] = refusal
    this.#next = (this.#next + 1) % this.#most
  }
}
