/** What an upstream says of limits, by the names of its fields, lower-case. Shown, never judged by. */
export type Limits = ReadonlyMap<string, string>

/** Fields that say how much of a quota is used or left, and when it is filled again; of Codex's other fields some are secrets. */
const telling = /^(?:x-ratelimit-.+|anthropic-ratelimit-.+|x-codex-.*(?:percent|minutes|reset|credits|balance|limit).*)$/
/** Numbers, times, names of plans; longer ones are no such thing. */
const value = /^[\w.,:;%+ -]{1,40}$/
/** Characters of a field's name: longer ones are none that anybody has to read. */
const LONGEST = 64
/** Fields that are kept of one answer. */
const MOST = 30
/** Names that are remembered. */
const NAMES = 200

/** Code units with which such names begin: x, a, r. */
const initials = new Set([0x78, 0x61, 0x72])

/** A copy that does not hold the whole head in memory. */
const copy = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** Makes the reader of limits in raw header lists. */
export function createLimitsReader () {
  const names = new Map<string, string | undefined>()
  const limitName = (name: string): string | undefined => {
    if (name.length > LONGEST) return undefined
    if (names.has(name)) return names.get(name)
    const lower = name.toLowerCase()
    const found = telling.test(lower) || lower === 'retry-after' ? copy(lower) : undefined
    if (names.size < NAMES) names.set(copy(name), found)
    return found
  }

  /**
   * @param raw of the upstream's answer
   * @returns undefined where it says nothing of them
   */
  return function limitsIn (raw: readonly string[], status: number): Limits | undefined {
    let limits: Map<string, string> | undefined
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] as string
      if (!initials.has(name.charCodeAt(0) | 0x20)) continue
      const known = limitName(name)
      const said = raw[i + 1] as string
      if (known === undefined || (known === 'retry-after' && status !== 429) || !value.test(said)) continue
      limits ??= new Map()
      if (limits.size < MOST) limits.set(known, copy(said))
    }
    return limits
  }
}
