import type { FastifyInstance } from 'fastify'
import Negotiator from 'negotiator'
import { SidecarError } from '../answers/errors.ts'
import type { VerdictCache } from '../verdict/cache/cache.ts'
import type { HeldReader } from './held.ts'
import { mountPage, statusHeaders } from './page.ts'
import type { StatusReader } from './status.ts'

/** What a query gives for a name: several values where it stands there several times. */
type Parameter = string | string[] | undefined

/** Verdicts unless told: to tell all of them, which can be tens of thousands, keeps everybody else waiting. */
const MOST = 100

/** A number of verdicts. */
function amount (text: Parameter): number {
  if (text === undefined) return MOST
  if (!/^\d{1,6}$/.test(String(text))) throw new SidecarError('invalid_request', { detail: 'verdicts is how many of them to show, a whole number' })
  return Number(text)
}

export interface StatusPaths {
  status: StatusReader
  verdicts: VerdictCache
  held: HeldReader
  /** What is listened on: a URL, the path of a socket, or nothing. */
  listening: () => string | null
}

/** What runs here, for programs and people, and taking back what is held against tokens. The scope has checked who asks. */
export function mountStatus (scope: FastifyInstance, { status, verdicts, held, listening }: StatusPaths): void {
  scope.addHook('onRequest', (_request, reply, next) => { reply.headers(statusHeaders); next() })
  const page = mountPage(scope)
  scope.get<{ Querystring: Record<string, Parameter> }>('/status', async (request, reply) => {
    if (new Negotiator(request.raw).mediaType(['application/json', 'text/html']) === 'text/html') return reply.type(page.type).send(page.text)
    const { verdicts: most, find = '' } = request.query
    return await status({ origin: `http://${request.host}`, listening: listening(), most: amount(most), find: String(find) })
  })
  scope.get('/status/held', ({ raw }) => held(raw.rawHeaders))
  scope.delete('/status/verdicts', () => ({ released: verdicts.release() }))
  scope.delete<{ Params: { fingerprint: string } }>('/status/verdicts/:fingerprint', ({ params: { fingerprint } }) => {
    if (!/^[0-9a-f]{8}$/.test(fingerprint)) throw new SidecarError('invalid_request', { detail: 'a fingerprint is the 8 hex digits that the log shows as token' })
    return { released: verdicts.release(fingerprint) }
  })
}
