import type { Clock } from '../clock.ts'
import type { Fingerprint, Key } from '../credential/credential.ts'
import type { NewerLogins } from '../status/newer.ts'
import type { Usage } from '../telemetry/usage/usage.ts'
import type { VerdictObserver } from '../verdict/verdict.ts'

export interface RenewalSources {
  readonly newer: NewerLogins
  readonly usage: Usage
  readonly clock: Clock
  /** Makes due what is held against a token and is older than this, monotonic ms. */
  readonly recall: (key: Key, since: number) => void
}

/** Whoever signs in again does it for what is refused: a refusal that is older than its account's login on disk is asked about again by the next request. */
export function renewedBy (observer: VerdictObserver, { newer, usage, clock, recall }: RenewalSources): VerdictObserver {
  return {
    ...observer,
    refused: (subject, reach) => {
      observer.refused(subject, reach)
      if (!newer.fresh) void newer.look()
      if (newer.none) return
      const { key } = subject
      const used = usage.find(key.slice(0, key.indexOf(' ')) as Fingerprint)
      const since = used === undefined ? -Infinity : newer.since(used)
      if (since !== -Infinity) recall(key, clock.monotonic() - clock.wall() + since)
    }
  }
}
