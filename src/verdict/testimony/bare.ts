import { jsonValue } from '../../wire/json.ts'

/** Words that are nothing but the status in other words. To good tokens, too, in long generations (llxprt-code#2035). */
const status = /\b(?:http|401|error|unauthori[sz]ed|unauthenticated|authorization required|authentication (?:error|failed|required)|invalid authentication credentials)\b/g

/** What servers write beneath their pages. */
const furniture = /^(?:nginx|openresty|cloudflare|cloudflare nginx|apache|caddy|envoy)(?: [\d ]+)?$/

/** Members of JSON bodies in which a reason would stand, were there one. */
const names: ReadonlySet<string> = new Set(['code', 'detail', 'error', 'errors', 'message', 'param', 'reason', 'status', 'statuscode', 'success', 'title', 'type'])

/** Those whose value tells one request from another, and nothing of why it was refused. */
const ids = /^(?:(?:request|trace|ray)[_-]?id|timestamp)$/i

/** Text between the tags of a page. What stands in scripts and comments counts as text: whoever is in doubt gives a reason. */
const tags = /<\/?(?:!doctype|html|head|title|body|center|h\d|hr|p)\b[^<>]*>|[\r\n]+/gi

/** Whether a text is empty, or the status in other words. */
function isStatus (text: string): boolean {
  const plain = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ').trim()
  return furniture.test(plain) || plain.replace(status, '').trim() === ''
}

/** Whether nothing in a JSON value says more than its status does. */
function isSilent (value: unknown): boolean {
  if (typeof value === 'string') return isStatus(value)
  if (typeof value === 'number') return value === 401
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isSilent)
  return Object.entries(value).every(([name, member]) => ids.test(name) || (names.has(name.toLowerCase()) && isSilent(member)))
}

/** Whether the text of a refusal gives no reason at all, whatever its form. */
export function isBare (text: string): boolean {
  const value = jsonValue(text)
  return value === undefined ? text.split(tags).every(isStatus) : isSilent(value)
}
