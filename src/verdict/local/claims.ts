import type { Clock } from '../../clock.ts'
import type { Credential } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import { valuesOf } from '../../wire/headers.ts'
import type { Inactive, Reason } from '../verdict.ts'

/** Clocks differ: a token is judged by its times only beyond this many milliseconds. */
export const SKEW = 60_000

const refuse = (reason: Reason, detail: string): Inactive => ({ state: 'inactive', reason, source: 'claims', detail })

/** "3 hours ago", for a person. `ms` is how long ago, more than the skew. */
function ago (ms: number): string {
  const [length, unit] = ms < 3_600_000 ? [60_000, 'minute'] : ms < 86_400_000 ? [3_600_000, 'hour'] : [86_400_000, 'day']
  const n = Math.floor(ms / length)
  return `${n} ${unit}${n === 1 ? '' : 's'} ago`
}

/** Seconds since 1970 (RFC 7519 NumericDate) as text; beyond what a date can hold, the number itself. */
function moment (seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}

/** The account that a ChatGPT token says it is for. */
export function accountOf (credential: Credential): string | undefined {
  const claim = credential.claims?.['https://api.openai.com/auth']
  if (typeof claim !== 'object' || claim === null || !('chatgpt_account_id' in claim)) return undefined
  return typeof claim.chatgpt_account_id === 'string' ? claim.chatgpt_account_id : undefined
}

/** `sk-ant-…` before `sk-…`: the longest foreign prefix that fits says where the credential belongs. */
function foreignTo (credential: Credential, foreign: Readonly<Record<string, string>>): string | undefined {
  const token = credential.reveal()
  let longest = ''
  for (const prefix in foreign) if (prefix.length > longest.length && token.startsWith(prefix)) longest = prefix
  return foreign[longest]
}

/**
 * What a credential says of itself and can be held against it without asking anybody: its times (RFC 7519
 * sections 4.1.4 and 4.1.5), its account, its kind. It may reject, never accept, so it answers Inactive or undefined.
 */
export function createClaimsValidator (clock: Clock) {
  /** The last time told: an expired token comes again and again, and to write its date is a twentieth of a refusal. */
  let told = { seconds: NaN, text: '' }
  const tell = (seconds: number): string => {
    if (told.seconds !== seconds) told = { seconds, text: moment(seconds) }
    return told.text
  }
  return {
    validate (credential: Credential, { route, raw }: Presentation): Inactive | undefined {
      const belongs = foreignTo(credential, route.foreignPrefixes)
      if (belongs !== undefined) return refuse('wrong_route', `a credential of this kind does not work on ${route.prefix}; it belongs on ${belongs}`)
      if (credential.claims === undefined) return undefined
      const { exp, nbf } = credential.claims
      const now = clock.wall()
      if (typeof exp === 'number' && now > exp * 1000 + SKEW) return refuse('token_expired', `${tell(exp)} (${ago(now - exp * 1000)})`)
      if (typeof nbf === 'number' && now + SKEW < nbf * 1000) return refuse('token_not_yet_valid', tell(nbf))
      const own = accountOf(credential)
      if (own === undefined) return undefined
      const [account, ...more] = valuesOf(raw, 'chatgpt-account-id')
      if (account !== undefined && more.length === 0 && own !== account) {
        return refuse('wrong_route', 'it was issued for another account than the chatgpt-account-id header names')
      }
      return undefined
    }
  }
}
