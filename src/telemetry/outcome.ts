import type { RequestRecord } from './record.ts'

/** What came of a request. */
export const outcomes = ['good', 'refused', 'limited', 'failed', 'other'] as const
export type Outcome = typeof outcomes[number]

/**
 * Good: answered well, and whole as far as the client stayed. Refused: for its credential, by the upstream or by us.
 * Limited: 429. Failed: the network, the upstream or we. Other: the request itself was wrong, or nobody waited for it.
 */
export function outcomeOf ({ status, code, ending }: Pick<RequestRecord, 'status' | 'code' | 'ending'>): Outcome {
  const answered = status as number
  if (answered < 400) return ending === 'cut' || ending === 'explained' ? 'failed' : 'good'
  if (answered === 401) return 'refused'
  if (answered === 429) return 'limited'
  return answered >= 500 || code?.startsWith('upstream_') === true ? 'failed' : 'other'
}
