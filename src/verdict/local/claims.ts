import type { Route } from '../../config/options.ts'
import { nameOf, shownName } from '../../config/routes.ts'
import type { Credential } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { JudgingClock } from '../../upstream/clock.ts'
import type { Inactive, Reason } from '../verdict.ts'

/** Clocks differ: a token is judged by its times only beyond this many milliseconds. */
export const SKEW = 60_000

const refuse = (reason: Reason, detail: string): Inactive => ({ state: 'inactive', reason, source: 'claims', detail })

/** "3 hours ago", for a person. `ms` is how long ago. */
export function ago (ms: number): string {
  const [length, unit] = ms < 3_600_000 ? [60_000, 'minute'] : ms < 86_400_000 ? [3_600_000, 'hour'] : [86_400_000, 'day']
  const n = Math.floor(ms / length)
  return `${n} ${unit}${n === 1 ? '' : 's'} ago`
}

/** A time of a token as text, ms since 1970. */
const moment = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

/** `sk-ant-…` before `sk-…`: the longest foreign prefix that fits says where the credential belongs. */
function foreignTo (credential: Credential, foreign: Readonly<Record<string, string>>): string | undefined {
  const token = credential.reveal()
  let longest = ''
  for (const prefix in foreign) if (prefix.length > longest.length && token.startsWith(prefix)) longest = prefix
  return foreign[longest]
}

/** What of a token's own times can be times (RFC 7519 section 4.1): a number before 2000, after 2100 or in ms says nothing. */
const plausible = (seconds: unknown): number | undefined =>
  typeof seconds === 'number' && seconds >= 946_684_800 && seconds < 4_102_444_800 ? seconds * 1000 : undefined

/**
 * When a token ends on the clock of `monotonic`, ms; Infinity where it does not say so, or where nobody knows the time.
 */
export function endOf ({ claims }: Credential, clock: JudgingClock, monotonic: number): number {
  const exp = plausible(claims?.['exp'])
  const now = exp === undefined ? undefined : clock.now()
  return exp === undefined || now === undefined ? Infinity : monotonic + exp + SKEW - now
}

/**
 * What a credential says of itself and can be held against it without asking anybody: its kind and its times (RFC 7519
 * sections 4.1.4 and 4.1.5). It may reject, never accept. Times count where this machine's clock and the upstream's agree on
 * them; it is asked for its own, without any credential, before a token is refused for them.
 * @param clockOf the clock by which a route's upstream judges
 */
export function createClaimsValidator (clockOf: (route: Route) => JudgingClock) {
  /** The last time told: an expired token comes again and again, and to write its date is a twentieth of a refusal. */
  let told = { ms: NaN, text: '' }
  const tell = (ms: number): string => {
    if (told.ms !== ms) told = { ms, text: moment(ms) }
    return told.text
  }
  return {
    /** Decides at once, unless the upstream has to be asked for the time. */
    validate (credential: Credential, { route }: Presentation): Inactive | undefined | Promise<Inactive | undefined> {
      const belongs = foreignTo(credential, route.foreignPrefixes)
      if (belongs !== undefined) return refuse('wrong_route', `a credential of this kind does not work on ${route.marks === undefined ? route.prefix : shownName(nameOf(route))}; it belongs on ${belongs}`)
      const exp = plausible(credential.claims?.['exp'])
      const nbf = plausible(credential.claims?.['nbf'])
      if (exp === undefined && nbf === undefined) return undefined
      const judge = (now: number | undefined): Inactive | undefined => {
        if (now === undefined) return undefined
        if (exp !== undefined && now > exp + SKEW) return refuse('token_expired', `${tell(exp)} (${ago(now - exp)})`)
        return nbf !== undefined && now + SKEW < nbf ? refuse('token_not_yet_valid', tell(nbf)) : undefined
      }
      const clock = clockOf(route)
      // Either of the two clocks may be wrong (a gateway's Date can be hours off): certain is what both of them say.
      const own = judge(clock.wall())
      if (own === undefined) return undefined
      const agreed = (now: number | undefined): Inactive | undefined => {
        const theirs = judge(now)
        return theirs?.reason === own.reason ? theirs : undefined
      }
      const now = clock.now()
      return now === undefined ? clock.confirm().then(agreed) : agreed(now)
    }
  }
}
