import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Journal } from '../telemetry/journal.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import { isFromForeignPage } from '../wire/fields/fetch-metadata.ts'
import { hostName, isLoopback } from '../wire/host.ts'
import { mountStatus, type StatusPaths } from './paths.ts'

/**
 * Our own paths tell what runs here, so a web page must not get at them, neither through DNS rebinding (its own name
 * in Host) nor across origins, not even as a picture that nobody sees.
 * @throws SidecarError `forbidden_host` or `forbidden_origin`
 */
function admit ({ method, headers }: FastifyRequest, allowedHosts: readonly string[]): void {
  const name = hostName(headers.host ?? '')
  if (!isLoopback(name) && !allowedHosts.includes(name)) throw new SidecarError('forbidden_host', { detail: JSON.stringify(name.slice(0, 80)) })
  if (isFromForeignPage(method, headers)) throw new SidecarError('forbidden_origin')
}

/**
 * Where clients knock with HEAD to see whether anybody is there; Claude Code does so at each start. We are, whatever
 * becomes of the request that follows: the answer has no words, tells nothing, and is no refusal that anybody has to read.
 */
export const isReachabilityCheck = (path: string): boolean => path === '/' || path === '/api/hello'

export interface Health extends StatusPaths { config: Config, drain: Drain, journal: Journal, metrics: Metrics }

/** Paths of our own: is it alive, does it take requests, what has it done, what runs here. */
export function registerHealth (app: FastifyInstance, { config, drain, journal, metrics, ...paths }: Health): void {
  app.register((scope, _options, done) => {
    scope.addHook('onRequest', (request, _reply, next) => {
      admit(request, config.allowedHosts)
      journal.flush() // what is told here holds for every request before this one
      next()
    })
    for (const path of ['/livez', '/healthz']) scope.get(path, () => ({ status: 'alive' })) // /healthz: what container tools ask for unless told
    scope.get('/readyz', () => {
      if (drain.begun) throw new SidecarError('draining', { retryAfter: 1 })
      return { status: 'ready' }
    })
    scope.get('/metrics', async (_request, reply) => {
      reply.type(metrics.contentType)
      return await metrics.text()
    })
    scope.register((inner, _options, next) => { mountStatus(inner, paths); next() })
    done()
  })
}
