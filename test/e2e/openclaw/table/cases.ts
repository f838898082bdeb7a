import { jwt, expiredJwt } from '../../../fixtures/token.ts'
import { faults } from '../../recovery/faults.ts'
import type { Case as Trouble } from '../../recovery/cases.ts'

/** Who asks: a `/btw` beside the main agent's session, or a turn of an agent, as a sub-agent takes one. */
export type Asker = '/btw' | 'whole turn'

/** One thing that goes wrong for an asker. */
export interface Case extends Trouble {
  /** A token that the upstream does not take; without it the good one is used. */
  readonly token?: (id: string) => string
}

const well = { standing: 'good', times: 0 } as const
const revoked = faults['401 invalid_api_key']
const silent = faults['401 without a reason']

const upstreams = Object.entries(faults).filter(([name]) => !name.startsWith('401'))

/** What the table is made of. */
export const cases: readonly Case[] = [
  { ...well, name: 'good' },
  { ...well, name: 'expired JWT', token: id => `${expiredJwt()}${id}` },
  { ...well, name: 'revoked token', token: id => jwt({ jti: `dead-${id}` }) },
  { ...well, name: 'no JWT at all', token: id => `no-jwt-${id}` },
  { ...well, name: '401 without a reason, for good', ...silent && { fault: silent }, times: Infinity },
  { ...well, name: '401 without a reason, once', ...silent && { fault: silent }, times: 1 },
  { ...well, name: '401 with a reason, once', ...revoked && { fault: revoked }, times: 1 },
  ...upstreams.map(([name, fault]): Case => ({ ...well, name: `${name}, once`, fault, times: 1 })),
  { ...well, name: 'refused for 5 s', refuse: 5000 },
  { ...well, name: 'refused for 12 s', refuse: 12_000 },
  ...upstreams.map(([name, fault]): Case => ({ ...well, name: `${name}, for good`, fault, times: Infinity }))
]

/** The token of a case's asker, and whether the upstream takes it. */
export const goodToken = (id: string): string => jwt({ jti: `good-${id}` })
