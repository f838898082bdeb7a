import type { CredentialField, CredentialReader, Presented } from './credential.ts'
import { valuesOf } from './headers.ts'
import type { Presentation } from './verdict.ts'

/** What a connection presented last, and the words for it. */
interface Last { readonly fields: readonly CredentialField[], readonly words: readonly string[], readonly presented: Presented }

function equal (a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** All values of some fields, each field's number of them in front. */
function wordsOf (raw: readonly string[], fields: readonly CredentialField[]): string[] {
  const words: string[] = []
  for (const field of fields) {
    const values = valuesOf(raw, field)
    words.push(String(values.length), ...values)
  }
  return words
}

/**
 * Reads what a request presents, and does so anew only where it differs from the request before on its connection:
 * most clients send one token all the time. The memory lives as long as the connection.
 */
export function readPerConnection (read: CredentialReader) {
  const connections = new WeakMap<object, Last>()
  return function readPresentation ({ raw, route: { credential: fields }, connection }: Presentation): Presented {
    const words = wordsOf(raw, fields)
    const last = connection === undefined ? undefined : connections.get(connection)
    if (last?.fields === fields && equal(last.words, words)) return last.presented
    const presented = read(raw, fields)
    if (connection !== undefined) connections.set(connection, { fields, words, presented })
    return presented
  }
}
