import type { Credential } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import { pairsOf } from '../../wire/headers.ts'
import type { Testimony } from '../verdict.ts'
import { overlapWith } from './overlap.ts'

/** What an answer says, given what was asked. */
export const inContext = (testimony: Testimony, { method }: Presentation): Testimony =>
  // Servers answer OPTIONS without looking at the credential.
  testimony.kind === 'accepted' && method === 'OPTIONS' ? { kind: 'silent' } : testimony

/** The upstream may say the token itself back to us, a part of it or a half of a pair, which no list of secrets can know. */
export function withoutToken (testimony: Testimony, credential: Credential): Testimony {
  if (testimony.kind !== 'rejected' || testimony.verdict.quote === undefined) return testimony
  const { quote: { words, fields }, ...verdict } = testimony.verdict
  const repeats = overlapWith(credential.reveal())
  const quote = { words: repeats(words) ? '' : words, fields: pairsOf(fields).filter(([, value]) => !repeats(value)).flat() }
  return { ...testimony, verdict: { ...verdict, quote } }
}
