import type { Route } from '../../config/options.ts'
import type { Inactive, Source, Testimony } from '../verdict.ts'
import { aboutIn } from './about.ts'
import { isBare } from './bare.ts'
import { isExplainedBeside } from './beside.ts'
import { quoteOf } from './quote.ts'
import { rowFor } from './rows.ts'
import { fieldsOf, readSaid, readText, saidIn, type Said } from './said.ts'

const silent: Testimony = { kind: 'silent' }

/** A refusal, as far as it can be read. `bare`: whether its body gives no reason. */
interface Refusal { readonly said: Said | undefined, readonly bare: boolean, readonly headers: readonly string[] }

/** What a refusal says about a token, by the table of its dialect. What stands in no row but gives a reason, or may give one, counts against nothing. */
function weigh (dialect: Route['dialect'], source: Source, { said, bare, headers }: Refusal): Testimony {
  const row = said === undefined ? undefined : rowFor(dialect, said)
  const reach = row?.reach ?? (bare && !isExplainedBeside(headers) ? 'request' : 'nothing')
  if (reach === 'nothing') return silent
  const detail = reach === 'token' ? row?.words as string : 'with 401 again and again, without saying why'
  const verdict: Inactive = { state: 'inactive', reason: 'token_rejected', source, detail, quote: quoteOf(headers, said) }
  return reach === 'token' ? { kind: 'rejected', reach, verdict, about: aboutIn(said) } : { kind: 'rejected', reach, verdict }
}

/** An answer of the upstream, as far as it may speak of the token. */
export interface Answered {
  readonly status: number
  /** Raw list. */
  readonly headers: readonly string[]
  /** Of a 401, as far as it is whole; undefined when it did not arrive whole. */
  readonly body: Buffer | undefined
}

/**
 * What a final answer of the upstream says about the token it was asked with. Only a 401 can say something against it;
 * 403, 407, 429, 5xx and HTML never do.
 */
export function testimonyOf ({ dialect }: Pick<Route, 'dialect'>, source: Source, { status, headers, body }: Answered): Testimony {
  if (status === 101) return { kind: 'pending' }
  if (status >= 200 && status < 300) return { kind: 'accepted', source }
  if (status !== 401) return silent
  const text = readText(headers, body)
  return text === undefined ? silent : weigh(dialect, source, { said: readSaid(text), bare: isBare(text), headers })
}

/** What an `error` or `response.failed` event, or an error message of a WebSocket, says about it: only dead-token words count. */
export function testimonyInBand ({ dialect }: Pick<Route, 'dialect'>, event: unknown): Testimony {
  const { type, error, response, code, message } = fieldsOf(event)
  // Of other types it is an error of something else: a tool's, a transcription's.
  if (type !== undefined && type !== 'error' && type !== 'response.failed') return silent
  const testimony = weigh(dialect, 'upstream', { said: saidIn({ error: error ?? fieldsOf(response)['error'] ?? { code, message } }), bare: false, headers: [] })
  return testimony.kind === 'rejected' && testimony.reach === 'token' ? { ...testimony, inBand: true } : silent
}
