import { SidecarError } from '../answers/errors.ts'

/** A count of what may be there only so many times at once, over all configurations of the process. */
export class Places {
  #taken = 0

  /**
   * Takes one.
   * @param limit that of the configuration in force
   * @returns gives it back; may be called once
   * @throws SidecarError `lane_full` where all are taken
   */
  take (limit: number): () => void {
    if (this.#taken >= limit) throw new SidecarError('lane_full', { detail: String(limit), retryAfter: 1 })
    this.#taken++
    return () => { this.#taken-- }
  }
}
