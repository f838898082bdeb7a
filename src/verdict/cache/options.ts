import type { Clock } from '../../clock.ts'
import type { VerdictObserver } from '../verdict.ts'
import type { Holds } from './rejection.ts'

export interface VerdictCacheOptions extends Holds {
  /** Entries kept at most, of active, inactive and suspect tokens each: junk must not push out what is in use. */
  entries: number
  /** ms an active verdict holds. */
  active: number
  clock: Pick<Clock, 'monotonic'>
  observer?: VerdictObserver
  /** From 0 to 1: spreads what would else happen at one moment. */
  random?: () => number
}
