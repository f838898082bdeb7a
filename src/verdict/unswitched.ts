import { LRUCache } from 'lru-cache'
import type { Presentation } from '../credential/presentation.ts'

/** Paths that are remembered. */
const PATHS = 100
/** ms for which they are. */
const HOLDS = 3_600_000

/**
 * Paths on which the upstream answers WebSocket handshakes with 426. Codex ends its tries with WebSockets at that word and
 * goes on over HTTP; a 401 of ours in its place costs it all of them, and a login twice the refreshes.
 */
export class Unswitched {
  readonly #paths = new LRUCache<string, true>({ max: PATHS, ttl: HOLDS })

  /** Takes in what a handshake was answered with. */
  learn (presentation: Presentation, status: number): void {
    if (presentation.handshake !== true) return
    if (status === 426) this.#paths.set(nameOf(presentation), true)
    else if (status === 101) this.#paths.delete(nameOf(presentation))
  }

  /** Whether a handshake would be answered so whatever its credential is. */
  has (presentation: Presentation): boolean { return presentation.handshake === true && this.#paths.has(nameOf(presentation)) }
}

const nameOf = ({ route: { prefix }, path = '' }: Presentation): string => `${prefix} ${path}`
