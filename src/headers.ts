/** End-to-end headers, pure: what may cross a proxy and what belongs to one connection only. */

/** RFC 9110 section 7.6.1, and the fields that older software treats alike. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection',
  'te', 'trailer', 'transfer-encoding', 'upgrade'
])

// `Connection: authorization` would strip what the guard has judged, and the upstream's 401 would then be our doing.
const neverNamed: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'chatgpt-account-id', 'content-length', 'host'])

/** Adds the fields that a Connection field names (RFC 9110 section 7.6.1) to `into`. */
function connectionOptions (value: string, into: Set<string> | undefined): Set<string> | undefined {
  let options = into
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase()
    if (option === '' || option === 'close' || option === 'keep-alive' || neverNamed.has(option)) continue
    options ??= new Set()
    options.add(option)
  }
  return options
}

/** A raw header list, names and values in turn, as pairs. */
export function pairsOf (raw: readonly string[]): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i] as string, raw[i + 1] as string]) // Node and undici give both or neither
  return pairs
}

/** Every value of a field in a raw header list, in order. `name` is lower-case. */
export function valuesOf (raw: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const field = raw[i] as string
    if (field.length === name.length && field.toLowerCase() === name) values.push(raw[i + 1] as string)
  }
  return values
}

/**
 * The end-to-end fields of a raw header list, case, order and duplicates kept. Request-only fields that end
 * here as well are `host` (the upstream has its own) and `expect` (answered by us, RFC 9110 section 10.1.1).
 */
export function endToEnd (raw: readonly string[]): string[] {
  let named: Set<string> | undefined
  for (const value of valuesOf(raw, 'connection')) named = connectionOptions(value, named)
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const field = name.toLowerCase()
    if (hopByHop.has(field) || field === 'host' || field === 'expect' || named?.has(field) === true) continue
    kept.push(name, raw[i + 1] as string)
  }
  return kept
}

/** A raw header list as bytes, which is what undici gives, as latin1 strings. */
export const decodeRaw = (raw: readonly Buffer[]): string[] => raw.map(bytes => bytes.toString('latin1'))
