import type { CredentialField, CredentialReader, Presented } from './credential.ts'
import { valuesOf } from './headers.ts'
import type { Presentation } from './verdict.ts'

/** What a connection presented last, and the words for it. */
interface Last { readonly fields: readonly CredentialField[], readonly words: readonly string[][], readonly presented: Presented }

const equal = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((word, i) => word === b[i])

/**
 * Reads what a request presents, and does so anew only where it differs from the request before on its connection:
 * most clients send one token all the time. The memory lives as long as the connection.
 */
export function readPerConnection (read: CredentialReader) {
  const connections = new WeakMap<object, Last>()
  return function readPresentation ({ raw, route: { credential: fields }, connection }: Presentation): Presented {
    const words = fields.map(field => valuesOf(raw, field))
    const last = connection === undefined ? undefined : connections.get(connection)
    if (last?.fields === fields && last.words.every((before, i) => equal(before, words[i] as string[]))) return last.presented
    const presented = read(raw, fields)
    if (connection !== undefined) connections.set(connection, { fields, words, presented })
    return presented
  }
}
