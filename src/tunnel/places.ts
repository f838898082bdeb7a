import { SidecarError } from '../answers/errors.ts'
import { fair } from '../upstream/shares.ts'

/** From so many places on the last one is for somebody who has none. Fewer are meant for a single user. */
const SHARED = 4

/** What may be there only so many times at once, over all configurations of the process: a fair share for each holder. */
export class Places {
  readonly #held = new Map<string, number>()
  #taken = 0

  /**
   * Takes one.
   * @param holder who gets it: a token
   * @param limit that of the configuration in force
   * @returns gives it back; may be called once
   * @throws SidecarError `lane_full` where all are taken, or the holder has its share
   */
  take (holder: string, limit: number): () => void {
    const held = this.#held.get(holder) ?? 0
    const free = limit - this.#taken - (held > 0 && limit >= SHARED ? 1 : 0)
    if (!fair(held, free)) throw new SidecarError('lane_full', { detail: String(limit), retryAfter: 1 })
    this.#taken++
    this.#held.set(holder, held + 1)
    return () => {
      this.#taken--
      const left = (this.#held.get(holder) as number) - 1
      if (left === 0) this.#held.delete(holder)
      else this.#held.set(holder, left)
    }
  }
}
