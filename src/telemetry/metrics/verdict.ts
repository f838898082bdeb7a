import { LRUCache } from 'lru-cache'
import type { Registry } from 'prom-client'
import type { Clock } from '../../clock.ts'
import type { Subject, VerdictObserver } from '../../verdict/verdict.ts'
import { createTally } from './tally.ts'

/** ms after a refusal within which a success shows that it was wrong. */
const REGRET = 60_000
/** ms within which refusals in a row of one token count as one here: a storm of them costs the less. */
const ROUGHLY = 1_000

/** A refusal of requests like one another is wrong only where one of them is answered well. */
const alike = ({ key, like: { request, shape, handshake } }: Subject): string => `${key} ${handshake ? 'WebSocket ' : ''}${request} ${shape}`

/**
 * Metrics of verdicts, so that harm is seen and not only speed. Labels are routes and the closed sets of reasons,
 * sources and outcomes.
 * @param entries refusals remembered at most
 */
export function createVerdictMetrics (registry: Registry, { entries, clock }: { entries: number, clock: Clock }): VerdictObserver {
  const registers = [registry]
  const lookups = createTally({
    name: 'codex_sidecar_verdict_lookups_total', registers, labelNames: ['route', 'found'],
    help: 'What was known of the token of a request: active and inactive are hits, due is one that asks again, unknown is a miss.'
  })
  const verdicts = createTally({
    name: 'codex_sidecar_verdicts_made_total', registers, labelNames: ['route', 'state', 'reason', 'source'],
    help: 'Verdicts made, and rejections confirmed, by reason and source.'
  })
  const suspicions = createTally({
    name: 'codex_sidecar_suspicions_total', registers, labelNames: ['route'],
    help: 'Answers of the upstream with 401 and no reason, which make a token suspect.'
  })
  const probes = createTally({
    name: 'codex_sidecar_probes_total', registers, labelNames: ['route', 'outcome'],
    help: 'Questions to the upstream about a token by outcome; skipped ones were not asked, for one of the limits.'
  })
  const falseNegatives = createTally({
    name: 'codex_sidecar_false_negatives_total', registers, labelNames: ['route'],
    help: 'Tokens that were refused here and accepted by the upstream on the same route within 60 s: should be 0.'
  })
  const refusals = new LRUCache<string, { at: number, order: number }>({ max: entries })
  let lastKey: string | undefined
  let lastAt = 0

  return {
    looked: ({ route }, found) => { lookups.count(route, found) },
    judged: ({ route }, verdict) => {
      verdicts.count(route, verdict.state, verdict.state === 'inactive' ? verdict.reason : '', verdict.source)
    },
    suspected: ({ route }) => { suspicions.count(route) },
    refused: (subject, reach) => {
      const key = reach === 'token' ? subject.key : alike(subject)
      const now = clock.monotonic()
      if (key === lastKey && now < lastAt + ROUGHLY) return
      lastKey = key
      lastAt = now
      refusals.set(key, { at: now, order: subject.order })
    },
    succeeded: subject => {
      if (refusals.size === 0) return
      for (const key of [subject.key, alike(subject)]) {
        const refused = refusals.get(key)
        // What began before it says only that the token was good then.
        if (refused === undefined || subject.order < refused.order) continue
        refusals.delete(key)
        lastKey = undefined
        if (clock.monotonic() - refused.at <= REGRET) falseNegatives.count(subject.route)
      }
    },
    probed: ({ route }, outcome) => { probes.count(route, outcome) }
  }
}
