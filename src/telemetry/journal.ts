import type { RequestRecord } from './record.ts'

/** Records that are written down together at most. */
const TOGETHER = 256
/** ms that a record waits for others at most. */
const PATIENCE = 50

/**
 * Finished requests on their way to the log and the metrics, several at a time: what runs many times in a row costs a
 * third of what it costs once between everything else that a request takes.
 */
export class Journal {
  readonly #write: (record: RequestRecord) => void
  #waiting: RequestRecord[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param write writes one record down */
  constructor (write: (record: RequestRecord) => void) { this.#write = write }

  /** Takes a record whose request is over. */
  enter (record: RequestRecord): void {
    if (this.#waiting.push(record) === TOGETHER) this.flush()
    else this.#timer ??= setTimeout(() => { this.flush() }, PATIENCE).unref()
  }

  /** Writes down what waits. */
  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const records = this.#waiting
    this.#waiting = []
    for (const record of records) this.#write(record)
  }
}
