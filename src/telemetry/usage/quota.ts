import type { Limits } from './limits.ts'

/** A quota of a credential, as its upstream told it. */
export interface ToldLimit {
  readonly name: string
  readonly words: string
  /** From 0, nothing used, to 1; null where that can not be told. */
  readonly used: number | null
}

/** A length of time that quotas have: 300 minutes are 5 h. */
const span = (minutes: number): string => minutes >= 1440 ? `${Math.round(minutes / 144) / 10} d` : minutes >= 60 ? `${Math.round(minutes / 6) / 10} h` : `${minutes} min`

const number = (text: string | undefined): number | undefined => text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined

/** ChatGPT's: a share of a window of time. */
function windows (said: Limits): ToldLimit[] {
  return [...said.keys()].flatMap(field => {
    const name = /^x-codex-(.+)-used-percent$/.exec(field)?.[1]
    const percent = number(said.get(field))
    if (name === undefined || percent === undefined) return []
    const minutes = number(said.get(`x-codex-${name}-window-minutes`))
    const resets = number(said.get(`x-codex-${name}-reset-after-seconds`))
    const words = `${percent} % used${minutes === undefined ? '' : ` of ${span(minutes)}`}${resets === undefined ? '' : `, filled again in ${span(Math.ceil(resets / 60))}`}`
    return [{ name, words, used: percent / 100 }]
  })
}

/** OpenAI's and Anthropic's: so many of so many. */
function allowances (said: Limits): ToldLimit[] {
  return [...said.keys()].flatMap(field => {
    const [, ours, theirs] = /^x-ratelimit-remaining-(.+)$|^anthropic-ratelimit-(.+)-remaining$/.exec(field) ?? []
    const name = ours ?? theirs
    const left = number(said.get(field))
    if (name === undefined || left === undefined) return []
    const of = (what: string): string | undefined => said.get(ours === undefined ? `anthropic-ratelimit-${name}-${what}` : `x-ratelimit-${what}-${name}`)
    const most = number(of('limit'))
    const reset = of('reset')
    const words = `${left}${most === undefined ? '' : ` of ${most}`} left${reset === undefined ? '' : `, filled again: ${reset}`}`
    return [{ name, words, used: most === undefined || most === 0 ? null : Math.max(0, 1 - left / most) }]
  })
}

/** What a person wants to know of an answer's limits. */
export function tellLimits (said: Limits): ToldLimit[] {
  const wait = said.get('retry-after')
  return [
    ...wait === undefined ? [] : [{ name: 'limit reached', words: `wait ${number(wait) === undefined ? `until ${wait}` : `${wait} s`}`, used: 1 }],
    ...windows(said), ...allowances(said)
  ]
}
