import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import { checkTarget } from '../downstream/conformance.ts'
import type { Drain } from '../downstream/drain.ts'
import { checkHandshake, type Upgrades } from '../downstream/upgrade.ts'
import type { Forward } from '../forward/forward.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Decision, Guard } from '../verdict/guard.ts'
import { pathOf } from '../wire/target.ts'
import type { Refuse } from './refuse.ts'

/** nginx's status for a request whose client has left. */
const CLIENT_GONE = 499

/** What a route is made of. */
export interface Mounted { upstream: Upstream, guard: Guard, forward: Forward, drain: Drain, upgrades: Upgrades, refuse: Refuse }

/** Mounts one route: the guard first, at the earliest place that can refuse, then the forwarder behind http-proxy. */
export function mount (app: FastifyInstance, { upstream, guard, forward, drain, upgrades, refuse }: Mounted): void {
  const { route } = upstream
  const pass = (request: FastifyRequest, reply: FastifyReply): void => {
    forward(request, reply, { upstream, decision: request.decision, upgrade: upgrades.of(request.raw) })
  }
  /** Straight on from the hook: http-proxy would parse the URL three times first, and Fastify the Content-Type, for nothing. */
  const settle = (request: FastifyRequest, reply: FastifyReply, decision: Decision): void => {
    const { record } = request
    const { refusal, lane, source, credential } = request.decision = decision
    record.source = source
    record.credential = credential
    record.guardMs = performance.now() - record.startedAt
    if (refusal !== undefined) return refuse(refusal, request, reply)
    record.lane = lane
    pass(request, reply)
  }
  app.register((scope, _options, done) => {
    scope.decorateRequest('decision')
    scope.addHook('onRequest', (request, reply, next) => {
      const { raw, record } = request
      record.route = route.prefix
      if (drain.begun) throw new SidecarError('draining', { retryAfter: 1 })
      checkTarget(request.url, route)
      const handshake = upgrades.of(raw) !== undefined
      if (handshake) checkHandshake(raw)
      const decision = guard({ route, raw: raw.rawHeaders, method: request.method, path: pathOf(request.url), handshake, connection: raw.socket })
      if (!(decision instanceof Promise)) return settle(request, reply, decision)
      const done = drain.track({}) // it has its own, short time
      decision.then(settled => {
        if (!reply.raw.destroyed) return settle(request, reply, drain.begun ? { ...settled, refusal: new SidecarError('draining', { retryAfter: 1 }) } : settled)
        settled.learn(CLIENT_GONE, []) // if it was to ask again for all, another one may
        reply.hijack()
      }).catch(next).finally(done)
    })
    scope.register(httpProxy, {
      prefix: route.prefix,
      upstream: route.upstream,
      httpMethods: [...app.supportedMethods],
      // `websocket: true` stays unused: it drops Authorization, answers 101 before the upstream has agreed, and
      // takes a paused client's whole stream into memory.
      handler: pass
    })
    done()
  })
}

declare module 'fastify' {
  interface FastifyRequest { decision: Decision }
}
