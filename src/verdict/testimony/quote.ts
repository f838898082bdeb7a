import { pairsOf, valuesOf } from '../../wire/headers.ts'
import { withoutSecrets } from '../../wire/secrets.ts'
import type { Quote } from '../verdict.ts'
import type { Said } from './said.ts'

/** Characters of an upstream's words that are said again. */
const WORDS = 300

/** Characters of a header field that are kept: longer ones are dropped whole, since half of one says nothing. */
const FIELD = 2_000

/** Fields that tell a client, or its user, more about a refusal than its body does. */
const kept: ReadonlySet<string> = new Set(['x-openai-authorization-error', 'x-error-json', 'cf-ray', 'x-oai-request-id'])

/** Fields that name the request at the upstream, the most telling one first. */
const names = ['x-oai-request-id', 'x-request-id', 'request-id', 'cf-ray'] as const

/** For pi-ai these make a 401 one that is tried again (contract.md section 5). */
const transient = /rate.?limit|overloaded|service.?unavailable|upstream.?connect|connection.?refused/i

/** One line, bounded, without control characters and without anything that looks like a secret. */
export function safeWords (text: string): string {
  const line = text.slice(0, 4 * WORDS).replace(/[\p{C}\s]+/gu, ' ').trim()
  const masked = withoutSecrets(line)
  // OpenClaw takes what follows "token:" for a secret and hides the rest of the reason.
  const plain = masked.replace(/\b(token|key|secret|password)\s*:/gi, '$1')
  return plain.length > WORDS ? `${plain.slice(0, WORDS - 1).trimEnd()}…` : plain
}

/** A name of a request, as the known upstreams write them. */
const requestName = /^[\w.:-]{1,80}$/

/** What an upstream said, for our own answers to the same token. */
export function quoteOf (headers: readonly string[], said: Said | undefined): Quote | undefined {
  const message = safeWords(said?.message ?? '')
  const named = names.flatMap(name => valuesOf(headers, name)).find(name => requestName.test(name))
  const words = [
    ...message === '' || transient.test(message) ? [] : [`"${message.replace(/"/g, '\'')}"`],
    ...named === undefined ? [] : [`request id ${named}`]
  ].join(', ')
  const fields = pairsOf(headers).filter(([name, value]) => kept.has(name.toLowerCase()) && value.length <= FIELD).flat()
  return words === '' && fields.length === 0 ? undefined : { words, fields }
}
