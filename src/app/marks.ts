import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import type { Route } from '../config/options.ts'
import { nameOf, shownName } from '../config/routes.ts'
import type { Key } from '../credential/credential.ts'
import type { History, HistoryEvent } from '../telemetry/history.ts'
import type { Verdict, VerdictObserver } from '../verdict/verdict.ts'

/** Tokens whose last verdict is remembered here. */
const MOST = 1_000

/** Requests to an upstream begin to fail at once. */
export const circuitOpened = (route: Route, clock: Clock): HistoryEvent =>
  ({ at: clock.wall(), kind: 'circuit', words: `circuit of ${shownName(nameOf(route))} opened` })

/** Adds a mark where a verdict has changed, or begins as a rejection: what is simply good at first is no news. */
export function observedBy (observer: VerdictObserver, history: History, clock: Clock): VerdictObserver {
  const states = new LRUCache<Key, Verdict['state']>({ max: MOST })
  return {
    ...observer,
    judged: (subject, verdict) => {
      observer.judged(subject, verdict)
      const { key } = subject
      const { state } = verdict
      const before = states.get(key)
      states.set(key, state)
      if (before === state || (before === undefined && state === 'active')) return
      history.mark({ at: clock.wall(), kind: 'verdict', words: `token ${key.slice(0, 8)} is ${state === 'active' ? 'good again' : 'refused'}` })
    }
  }
}
