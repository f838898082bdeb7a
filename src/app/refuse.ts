import type { FastifyReply, FastifyRequest } from 'fastify'
import { answerTo, asSidecarError } from '../answers/answer.ts'
import type { Outbox } from '../downstream/outbox.ts'

/** Answers a request with what was thrown. */
export type Refuse = (thrown: Error, request: FastifyRequest, reply: FastifyReply) => void

/** Answers in our own name, readable by web pages only where the upstream's would be, beneath a route; Fastify would add a charset, which JSON has none of (RFC 8259 section 11). */
export const refuseBy = (send: Outbox): Refuse => (thrown, request, reply) => {
  const error = asSidecarError(thrown)
  const { record } = request
  record.code = error.code
  record.detail = error.detail
  if (error.code === 'internal_error') record.error = thrown
  reply.hijack()
  send(reply.raw, answerTo(error, request.id, record.route === undefined ? undefined : request.headers.origin))
}
