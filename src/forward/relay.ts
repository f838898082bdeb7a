import type { ServerResponse } from 'node:http'
import { protocolOf } from '../wire/sse.ts'
import { pathOf } from '../wire/target.ts'
import { Batch } from './batch.ts'
import { EventStreamBody, explainable } from './event-stream-body.ts'
import { NoBody, PlainBody } from './plain-body.ts'
import type { Head, ResponseBody } from './response-body.ts'

/** Begins an answer to the client: as a stream that can explain itself where it is one. `path` is that of the request. */
export function relay (response: ServerResponse, head: Head, path: string): ResponseBody {
  if (response.req.method === 'HEAD' || head.status === 204 || head.status === 304) return new NoBody(response, head)
  return new Batch(response, explainable(head.headers) ? new EventStreamBody(response, head, protocolOf(pathOf(path))) : new PlainBody(response, head))
}
