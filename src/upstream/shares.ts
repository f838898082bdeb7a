import { SidecarError } from '../answers/errors.ts'

/**
 * Places that a holder may have for each one that is still free. The more are taken, the less one holder gets: one
 * alone has eight ninths of them, and there is always one left for somebody else (dynamic thresholds; Choudhury and
 * Hahne, 1998).
 */
const GREED = 8

/** Whether who holds so many places may have one of those that are free. */
export const fair = (held: number, free: number): boolean => free > 0 && held < GREED * free

interface Waiter { readonly holder: string, readonly resolve: (leave: () => void) => void }

/** What a request that waits for a place is told. */
export interface Patience {
  /** ms. */
  readonly patience: number
  /** Aborted when nobody waits any longer. */
  readonly signal: AbortSignal
}

/** Places of a lane, shared fairly by those who want them: a token is a holder. */
export class Shares {
  readonly limit: number
  readonly #held = new Map<string, number>()
  readonly #waiting = new Set<Waiter>()
  #taken = 0

  constructor (limit: number) { this.limit = limit }

  /** Places that are taken. */
  get taken (): number { return this.#taken }

  /** Whether a holder may have another one now. */
  admits (holder: string): boolean { return fair(this.#held.get(holder) ?? 0, this.limit - this.#taken) }

  /** Takes one; the function returned gives it back and may be called once. The caller has seen that there is one. */
  take (holder: string): () => void {
    this.#taken++
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + 1)
    return () => {
      this.#taken--
      const left = (this.#held.get(holder) as number) - 1
      if (left === 0) this.#held.delete(holder)
      else this.#held.set(holder, left)
      if (this.#waiting.size > 0) this.#serve()
    }
  }

  /**
   * Waits for a place: those who hold the fewest come first.
   * @returns gives it back
   * @throws SidecarError `lane_full` when the patience is over, or when nobody waits any longer
   */
  async wait (holder: string, { patience, signal }: Patience): Promise<() => void> {
    return await new Promise((resolve, reject) => {
      const waiter: Waiter = {
        holder,
        resolve: leave => {
          end()
          resolve(leave)
        }
      }
      const giveUp = (): void => {
        end()
        reject(this.full())
      }
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        this.#waiting.delete(waiter)
      }
      const timer = setTimeout(giveUp, patience)
      signal.addEventListener('abort', giveUp)
      this.#waiting.add(waiter)
    })
  }

  /** What a holder is told that gets none. */
  full (): SidecarError { return new SidecarError('lane_full', { detail: String(this.limit), retryAfter: 1 }) }

  /** A place is free: it goes to whoever may have it and holds the fewest. */
  #serve (): void {
    let next: Waiter | undefined
    for (const waiter of this.#waiting) {
      if (this.admits(waiter.holder) && (next === undefined || (this.#held.get(waiter.holder) ?? 0) < (this.#held.get(next.holder) ?? 0))) next = waiter
    }
    next?.resolve(this.take(next.holder))
  }
}
