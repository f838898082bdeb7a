import { LRUCache } from 'lru-cache'
import { nameOf } from '../config/routes.ts'
import type { Credential, Fingerprint } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import type { LaneName } from '../upstream/lane.ts'

/** Who takes a place with a request; all that come without a credential are one. */
export const holderOf = ({ credential, holder }: { readonly credential: Credential | undefined, readonly holder?: Fingerprint }): string =>
  credential?.fingerprint ?? holder ?? ''

/** Credentials that are remembered. */
const ENTRIES = 10_000

/**
 * Credentials of other schemes than Bearer. Nothing is held against them, but who was served is to have the lane of those
 * who were: else junk could keep all of them from theirs.
 */
export class Unjudged {
  readonly #served = new LRUCache<string, true>({ max: ENTRIES })

  /** Where requests with it go. */
  lane (holder: Fingerprint, presentation: Presentation): LaneName { return this.#served.has(keyOf(holder, presentation)) ? 'verified' : 'unverified' }

  /** Takes in what one was answered with. A 2xx to OPTIONS says nothing, nor does any other answer but a 401. */
  learn (holder: Fingerprint, presentation: Presentation, status: number): void {
    if (status >= 200 && status < 300 && presentation.method !== 'OPTIONS') this.#served.set(keyOf(holder, presentation), true)
    else if (status === 401) this.#served.delete(keyOf(holder, presentation))
  }
}

const keyOf = (holder: Fingerprint, { route }: Presentation): string => `${holder} ${nameOf(route)}`
