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
 * @param renewable whether there is something beside it with which its client gets a new one by itself
 */
export function judgeLogin (look: Subject, end: number | undefined, mend: string, renewable: boolean): Finding {
  if (end === undefined) return look.note('tells no end; only the upstream knows whether it holds')
  const left = end - Date.now()
  const itself = renewable ? '; its client renews it by itself, unless that has ended too' : ''
  if (left <= 0) return look[renewable ? 'warning' : 'problem'](`expired ${span(-left)} ago${itself}`, mend)
  if (left >= SOON) return look.ok(`holds for ${span(left)}`)
  return renewable ? look.note(`expires in ${span(left)}${itself}`) : look.warning(`expires in ${span(left)}`, mend)
}
