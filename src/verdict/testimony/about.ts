import type { Credential } from '../../credential/credential.ts'
import type { About, Shown, Testimony } from '../verdict.ts'
import type { Said } from './said.ts'

/** What names a key: what stands behind "provided:", what begins as keys do, and what has stars or dots in its middle. */
const named = /provided:\s*["'`(]?([^\s"'`,;)]+)|\b((?:sk|rk|pk|gsk|xai)-[^\s"'`,;)]*)|([\w-]*(?:\*{3,}|\u2022+)[\w-]*)/gi

/** What stands for the part that is not shown. */
const hidden = /\*{2,}|\.{2,}|\u2022+|\u2026+|\[[^\]]*\]|<[^>]*>/g

/** How a key that words name begins and ends, as far as they show it. */
function shownOf (name: string): Shown {
  const parts = name.replace(/[.:!?]+$/, end => end.length > 1 ? end : '').split(hidden)
  return { begins: parts[0] as string, ends: parts.length === 1 ? '' : parts.at(-1) as string }
}

/** Characters of a message in which a key is looked for. */
const READ = 1_000

/** Codes for logins that have ended. No API key has such an end. */
const ofLogins: ReadonlySet<string> = new Set(['token_expired', 'token_invalidated', 'token_revoked'])

/** What dead-token words say of the credential that they are about. */
export function aboutIn (said: Said | undefined): About {
  const names = [...(said?.message ?? '').slice(0, READ).matchAll(named)].map(([, provided, key, starred]) => (provided ?? key ?? starred) as string)
  return { names: names.map(shownOf), login: ofLogins.has(said?.code ?? '') }
}

/**
 * A gateway with keys or logins of its own hands on what was said of one of those: its client's key is as good as before,
 * and the next request gets another one of them. Such words are no better than none: only many in a row say something.
 */
export function ofThis (testimony: Testimony, credential: Credential): Testimony {
  if (testimony.kind !== 'rejected' || testimony.reach !== 'token' || testimony.about === undefined) return testimony
  const { names, login } = testimony.about
  const parts = credential.reveal().split(/\s+/)
  const fits = names.every(({ begins, ends }) => parts.some(part => part.startsWith(begins) && part.endsWith(ends)))
  if (fits && !(login && /^sk-(?!ant-oat)/.test(credential.reveal()))) return testimony
  return testimony.inBand === true ? { kind: 'silent' } : { kind: 'rejected', reach: 'request', verdict: testimony.verdict }
}
