import { decodeJwt } from 'jose'
import type { Finding, Subject } from '../finding.ts'

/** ms before its end from which on a login is worth a word. */
const SOON = 86_400_000

/** End of a JWT, ms since 1970; undefined where it tells none. */
export function endOf (token: string | undefined): number | undefined {
  try {
    const { exp } = decodeJwt(token ?? '')
    return exp === undefined ? undefined : exp * 1000
  } catch {
    return undefined
  }
}

/** "3 days", from ms, rounded down. */
function span (ms: number): string {
  const [length, unit] = ms < 7_200_000 ? [60_000, 'minute'] : ms < 172_800_000 ? [3_600_000, 'hour'] : [86_400_000, 'day']
  const n = Math.floor(ms / length)
  return `${n} ${unit}${n === 1 ? '' : 's'}`
}

/**
 * Says how long a login still holds.
 * @param end ms since 1970, undefined where it can not be known here
 */
export function judgeLogin (look: Subject, end: number | undefined, mend: string): Finding {
  if (end === undefined) return look.note('tells no end; only the upstream knows whether it holds')
  const left = end - Date.now()
  if (left <= 0) return look.problem(`expired ${span(-left)} ago`, mend)
  return left < SOON ? look.warning(`expires in ${span(left)}; the client may renew it by itself`, mend) : look.ok(`holds for ${span(left)}`)
}
