/** End-to-end headers, pure: what may cross a proxy and what belongs to one connection only. */

/** RFC 9110 section 7.6.1, and the fields that older software treats alike. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection', 'http2-settings', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection',
  'te', 'trailer', 'transfer-encoding', 'upgrade'
])

/** Request-only fields that end here as well: the upstream has its own host; `expect` is answered by us (RFC 9110 section 10.1.1). */
const ended: ReadonlySet<string> = new Set([...hopByHop, 'host', 'expect'])

/** Whether a name of so many characters can be one of those: few are, and lower-casing the others would be for nothing. */
const endedLengths: readonly boolean[] = Array.from({ length: 20 }, (_, length) => [...ended].some(name => name.length === length))

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

/** What undici gives for an answer's header, as a raw header list; fields that were there several times stay so. */
export const rawOf = (headers: Readonly<Record<string, string | readonly string[] | undefined>>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap(one => [name, String(one)]))

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
 * The end-to-end fields of a raw header list, case, order and duplicates kept.
 * @param judged fields that no Connection field takes away, lower-case: what was judged by them must arrive with them
 * @param withheld fields that are left out, lower-case
 */
export function endToEnd (raw: readonly string[], judged: readonly string[] = [], withheld: readonly string[] = []): string[] {
  let named: Set<string> | undefined
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    if (endedLengths[name.length] === true) {
      const field = name.toLowerCase()
      if (field === 'connection') named = connectionOptions(value, named)
      if (ended.has(field)) continue
    }
    kept.push(name, value)
  }
  for (const field of judged) named?.delete(field)
  for (const field of withheld) if (valuesOf(kept, field).length > 0) named = (named ?? new Set()).add(field)
  return named === undefined ? kept : pairsOf(kept).filter(([name]) => !named.has(name.toLowerCase())).flat()
}

/** A raw header list as bytes, which is what undici gives, as latin1 strings. */
export function decodeRaw (raw: readonly Buffer[]): string[] {
  if (raw.length === 0) return []
  const { buffer, byteOffset: start } = raw[0] as Buffer
  const last = raw.at(-1) as Buffer
  const end = last.byteOffset + last.length
  // Pieces of one packet, as nearly always, are cut from its text: to decode each by itself costs more than all else here.
  const whole = raw.every(piece => piece.buffer === buffer && piece.byteOffset >= start && piece.byteOffset + piece.length <= end)
  if (!whole) return raw.map(piece => piece.toString('latin1'))
  const text = Buffer.from(buffer, start, end - start).toString('latin1')
  return raw.map(piece => text.slice(piece.byteOffset - start, piece.byteOffset - start + piece.length))
}
