import { subject, type Finding } from '../finding.ts'

/** ms from which on a clock is called off: the skew that tokens are allowed (RFC 7519 section 4.1.4). */
const OFF = 60_000

/**
 * Compares this machine's clock with an upstream's Date field.
 * @param date ms since 1970; NaN where it told none
 */
export function clockFinding (host: string, date: number): Finding | undefined {
  if (Number.isNaN(date)) return undefined
  const look = subject('clock', `this machine's clock against ${host}`)
  const off = Date.now() - date
  const seconds = Math.round(Math.abs(off) / 1000)
  if (Math.abs(off) <= OFF) return look.ok('agrees within a minute')
  return look.problem(`is ${seconds} s ${off > 0 ? 'ahead' : 'behind'}, so good tokens can look expired or not yet valid`, 'sudo timedatectl set-ntp true (macOS: sudo sntp -sS time.apple.com)')
}
