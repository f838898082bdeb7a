import { isPreflight } from '../wire/cors.ts'
import { valuesOf } from '../wire/headers.ts'
import type { CredentialReader, Presented } from './credential.ts'
import type { Presentation } from './presentation.ts'

/** All values of some fields, each field's number of them in front. */
function wordsOf (raw: readonly string[], fields: readonly string[]): string[] {
  const words: string[] = []
  for (const field of fields) {
    const values = valuesOf(raw, field)
    words.push(String(values.length), ...values)
  }
  return words
}

function equal (a: readonly string[], b: readonly string[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return a.length === b.length
}

/** What a connection presented last, and the words for it, which nobody else gets to see. */
class Last {
  readonly #fields: readonly string[]
  readonly #words: readonly string[]
  readonly #presented: Presented

  constructor (fields: readonly string[], words: readonly string[], presented: Presented) {
    this.#fields = fields
    this.#words = words
    this.#presented = presented
  }

  /** What these words present, if they are the same. */
  of (fields: readonly string[], words: readonly string[]): Presented | undefined {
    return this.#fields === fields && equal(this.#words, words) ? this.#presented : undefined
  }
}

/** Where a connection holds it. In WeakMaps, what connections hold would cost a request on a new one 7 % (two of them). */
const last = Symbol('last presented')

/**
 * Reads what a request presents, and does so anew only where it differs from the request before on its connection:
 * most clients send one token all the time. The memory lives as long as the connection.
 */
export function readPerConnection (read: CredentialReader) {
  const readAgain = ({ raw, route: { credential: fields }, connection }: Presentation): Presented => {
    const words = wordsOf(raw, fields)
    const holder: { [last]?: Last } = connection ?? {}
    const known = holder[last]?.of(fields, words)
    if (known !== undefined) return known
    const presented = read(raw, fields)
    holder[last] = new Last(fields, words, presented)
    return presented
  }
  return function readPresentation (presentation: Presentation): Presented {
    const presented = readAgain(presentation)
    return presented.kind === 'missing' && isPreflight(presentation.method, presentation.raw) ? { kind: 'unjudged' } : presented
  }
}
