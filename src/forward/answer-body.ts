import type { ServerResponse } from 'node:http'
import type { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import type { Decision } from '../verdict/guard.ts'
import { refusalWords } from '../verdict/testimony/words.ts'
import { valuesOf } from '../wire/headers.ts'
import { ErrorBody, holdable, type Room } from './error-body.ts'
import { relay } from './relay.ts'
import type { Head, ResponseBody } from './response-body.ts'

export interface AnswerOptions {
  readonly response: ServerResponse
  readonly record: RequestRecord
  readonly decision: Decision
  readonly config: Config
  /** Target of the request at the upstream. */
  readonly path: string
  /** ms of silence until a sign of life is put into a model's stream. */
  readonly heartbeat: number | undefined
  /** For error answers that are large. */
  readonly room: Room
  /** Ends the upstream exchange; `fail` of the body follows. */
  readonly abort: (error: SidecarError) => void
}

/** Begins the upstream's answer to the client; error answers are held back, except those whose declared length is too large for that. */
export function answerBody (head: Head, { response, record, decision, config: { limits, times }, path, heartbeat, room, abort }: AnswerOptions): ResponseBody {
  const { status, headers } = head
  const onward = (head: Head): ResponseBody => relay(response, head, { path, heartbeat, overhear: decision.overhear })
  if (!holdable(response.req.method, head, limits.errorBodyBytes)) {
    decision.learn(status, headers)
    return onward(head)
  }
  return new ErrorBody({
    ...head, response, requestId: record.id, limit: limits.errorBodyBytes, patience: times.errorBody, relay: onward, room, abort,
    learn: body => {
      const dead = decision.learn(status, headers, body)
      if (status === 401 && body !== undefined) record.relayed = { dead, ...refusalWords(headers, body, decision.credential) }
      return dead && valuesOf(headers, 'retry-after').length === 0 ? ['Retry-After', '0'] : []
    }
  })
}
