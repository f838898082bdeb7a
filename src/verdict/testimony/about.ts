import type { Credential } from '../../credential/credential.ts'
import type { About, Testimony } from '../verdict.ts'
import type { Said } from './said.ts'

/** A key as OpenAI names it when it refuses one: its beginning and its end, and stars between them. */
const starred = /([\w-]*)\*{3,}([\w-]*)/

/** Codes for logins that have ended. No API key has such an end. */
const ofLogins: ReadonlySet<string> = new Set(['token_expired', 'token_invalidated', 'token_revoked'])

/** What dead-token words say of the credential that they are about. */
export function aboutIn (said: Said | undefined): About {
  const [, begins = '', ends = ''] = starred.exec(said?.message ?? '') ?? []
  return { begins, ends, login: ofLogins.has(said?.code ?? '') }
}

/**
 * A gateway with keys or logins of its own hands on what was said of one of those: its client's key is as good as before,
 * and the next request gets another one of them. Such words are no better than none: only many in a row say something.
 */
export function ofThis (testimony: Testimony, credential: Credential): Testimony {
  if (testimony.kind !== 'rejected' || testimony.reach !== 'token' || testimony.about === undefined) return testimony
  const { begins, ends, login } = testimony.about
  const fits = credential.reveal().split(/\s+/).some(part => part.startsWith(begins) && part.endsWith(ends))
  if (fits && !(login && /^sk-(?!ant-oat)/.test(credential.reveal()))) return testimony
  return testimony.inBand === true ? { kind: 'silent' } : { kind: 'rejected', reach: 'request', verdict: testimony.verdict }
}
