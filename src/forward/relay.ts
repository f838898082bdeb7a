import type { ServerResponse } from 'node:http'
import { protocolOf } from '../wire/event-stream/protocols.ts'
import { valuesOf } from '../wire/headers.ts'
import { pathOf } from '../wire/target.ts'
import { Batch } from './batch.ts'
import { CompressedBody } from './event-streams/compressed-body.ts'
import { decoderFor } from './event-streams/decoder.ts'
import { EventStreamBody } from './event-streams/event-stream-body.ts'
import { NoBody, PlainBody } from './plain-body.ts'
import type { Head, HeldBody, ResponseBody } from './response-body.ts'

const eventStream = /^text\/event-stream\s*(?:;|$)/i
/** Types that say nothing: the ChatGPT backend sends its event streams with none at all (openclaw/openclaw#91662). */
const vague = /^(?:(?:application\/octet-stream|text\/plain)\s*(?:;.*)?)?$/is
/** That of models' other answers: no JSON begins like a stream. */
const json = /^application\/json\s*(?:;|$)/i

/** What is left of Content-Encoding where nothing is said twice or to no purpose. */
const codingOf = (headers: string[]): string =>
  valuesOf(headers, 'content-encoding').join(',').toLowerCase().split(',').map(name => name.trim()).filter(name => name !== '' && name !== 'identity').join()

export interface RelayOptions {
  /** Target of the request at the upstream. */
  readonly path: string
  /** ms of silence until a sign of life is put into a model's stream. */
  readonly heartbeat: number | undefined
  /** Is told an error event that can be read, as parsed JSON. */
  readonly overhear: (event: unknown) => void
}

/** A body as its head lets expect it; what has a declared length can neither be continued nor be missed a part of. */
function bodyFor (response: ServerResponse, head: Head, { path, heartbeat, overhear }: RelayOptions): HeldBody {
  const { headers, status } = head
  if (valuesOf(headers, 'content-length').length > 0) return new PlainBody(response, head)
  const type = valuesOf(headers, 'content-type')[0] ?? ''
  const protocol = protocolOf(response.req.method as string, pathOf(path))
  const declared = status < 400 && eventStream.test(type) // an error's events have no end of their own that could be missed
  const coding = codingOf(headers)
  const possible = declared || (status < 300 && protocol !== 'other' && (vague.test(type.trim()) || (coding === '' && json.test(type))))
  if (!possible) return new PlainBody(response, head)
  if (coding === '') return new EventStreamBody(response, head, { protocol, declared, heartbeat, overhear })
  const decoder = decoderFor(coding)
  return decoder === undefined ? new PlainBody(response, head, declared) : new CompressedBody(response, head, { protocol, declared, decoder })
}

/** Begins an answer to the client: as a stream that is watched where it can be one. */
export function relay (response: ServerResponse, head: Head, options: RelayOptions): ResponseBody {
  if (response.req.method === 'HEAD' || head.status === 204 || head.status === 304) return new NoBody(response, head)
  return new Batch(response, bodyFor(response, head, options))
}
