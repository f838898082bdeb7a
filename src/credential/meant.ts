import type { Route } from '../config/options.ts'
import { pairsOf, valuesOf } from '../wire/headers.ts'
import { readField, SUBPROTOCOL } from './form.ts'

/** Whether a field's credential is certainly another company's; undefined where the field has none. */
function isForeign (raw: readonly string[], field: string, prefixes: readonly string[]): boolean | undefined {
  const token = readField(field, valuesOf(raw, field))?.token
  return token === undefined ? undefined : prefixes.some(prefix => token.startsWith(prefix))
}

/**
 * A request's fields without those credentials that are certainly another company's, where there is one beside them that
 * is not: its upstream has no use for them, and is not told them. One that stands alone stays, to be refused.
 * @param raw header names and values in turn, as received
 */
export function meantFor ({ credential, foreignPrefixes }: Route, raw: readonly string[]): readonly string[] {
  const prefixes = credential.length === 1 ? [] : Object.keys(foreignPrefixes)
  if (prefixes.length === 0) return raw
  const kinds = credential.filter(field => field !== SUBPROTOCOL).map(field => ({ field, foreign: isForeign(raw, field, prefixes) }))
  const others = kinds.filter(({ foreign }) => foreign === true).map(({ field }) => field)
  if (others.length === 0 || kinds.every(({ foreign }) => foreign !== false)) return raw
  return pairsOf(raw).filter(([name]) => !others.includes(name.toLowerCase())).flat()
}
