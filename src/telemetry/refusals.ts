import type { Code, SidecarError } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import { shownPath, withoutSecrets } from '../wire/secrets.ts'
import type { RequestRecord } from './record.ts'

/** Characters of a path that are kept: it may be as long as all headers. */
const PATH = 200

/** What is quoted there is the client's, and may be anything. */
const shown = (detail: string): string => detail.replace(/"[^"]*"/g, withoutSecrets)

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
  /** Without its query, and without what looks like a secret. */
  readonly path?: string
  /** Name of its route. */
  readonly route?: string | undefined
  /** 8 hex digits of the fingerprint. */
  readonly token?: string | undefined
  /** Set where a web page of another origin asked. */
  readonly fromPage?: true
}

/** The last ones of something; older ones make room. */
class Ring<T> implements Iterable<T> {
  readonly #most: number
  readonly #kept: T[] = []
  /** Where the next one goes. */
  #next = 0

  constructor (most: number) { this.#most = most }

  add (one: T): void {
    this.#kept[this.#next] = one
    this.#next = (this.#next + 1) % this.#most
  }

  /** The latest one first. */
  * [Symbol.iterator] (): Generator<T> {
    for (let i = 1; i <= this.#kept.length; i++) yield this.#kept.at(this.#next - i) as T
  }
}

/** The last answers in our own name. Older ones are in the log. Web pages have their own list: none can push out a person's. */
export class Refusals implements Iterable<Refusal> {
  readonly #clock: Clock
  readonly #own: Ring<Refusal>
  readonly #pages: Ring<Refusal>

  /** @param most kept at most, of web pages and of all others each */
  constructor (most: number, clock: Clock) {
    this.#clock = clock
    this.#own = new Ring(most)
    this.#pages = new Ring(most)
  }

  /** A request is over; it counts if the answer was ours. */
  finished ({ id, method, target, foreign, endedAt, status, code, detail = '', route, credential }: RequestRecord): void {
    if (code === undefined) return
    const refusal = { at: endedAt, status: status as number, code, detail: shown(detail), requestId: id, method, path: shownPath(target).slice(0, PATH), route, token: credential?.toString() }
    if (foreign) this.#pages.add({ ...refusal, fromPage: true })
    else this.#own.add(refusal)
  }

  /** What never became a request was answered. */
  bare ({ status, code, detail }: SidecarError, requestId: string): void {
    this.#own.add({ at: this.#clock.wall(), status, code, detail: shown(detail), requestId })
  }

  /** The latest one first. */
  [Symbol.iterator] (): IterableIterator<Refusal> {
    return [...this.#own, ...this.#pages].sort((a, b) => b.at - a.at).values()
  }
}
