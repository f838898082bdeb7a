import type { Credential } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { Testimony } from '../verdict.ts'

/** What an answer says, given what was asked. */
export const inContext = (testimony: Testimony, { method }: Presentation): Testimony =>
  // Servers answer OPTIONS without looking at the credential.
  testimony.kind === 'accepted' && method === 'OPTIONS' ? { kind: 'silent' } : testimony

/** The upstream may say the token itself back to us, or a half of a pair, which no list of secrets can know. */
export const withoutToken = (testimony: Testimony, credential: Credential): Testimony =>
  testimony.kind === 'rejected' && credential.reveal().split(/\s+/).some(part => testimony.verdict.quote?.words.includes(part) === true)
    ? { ...testimony, verdict: { ...testimony.verdict, quote: undefined } }
    : testimony
