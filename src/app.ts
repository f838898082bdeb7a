import httpProxy from '@fastify/http-proxy'
import type { IncomingMessage, ServerResponse } from 'node:http'
import createFastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type RawServerDefault } from 'fastify'
import type { Logger } from 'pino'
import { quiet } from './access-log.ts'
import { answerBareErrors } from './client-error.ts'
import type { Config } from './config.ts'
import { checkRequest, checkTarget, originForm } from './conformance.ts'
import { readPerConnection } from './connection-credential.ts'
import { Drain } from './drain.ts'
import { asSidecarError, answerTo, writeAnswer } from './error-handler.ts'
import { SidecarError } from './errors.ts'
import { createForward, type Forward } from './forward.ts'
import { createGuard, type Decision, type Guard } from './guard.ts'
import { commonRoutes, foundLegacy, type Generation } from './generation.ts'
import { registerHealth } from './health.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { Prober } from './prober.ts'
import { RequestRecord } from './record.ts'
import { createRequestIds } from './request-id.ts'
import { createStatus } from './status.ts'
import { createSwitch } from './switching-protocols.ts'
import { createTraces } from './traces.ts'
import { acceptUpgrades, checkHandshake, type Upgrades } from './upgrade.ts'
import { createUpstream, type Upstream } from './upstream.ts'
import { createClaimsValidator } from './validators/claims.ts'
import { createSignatureValidator } from './validators/signature.ts'
import { VerdictCache } from './verdict-cache.ts'
import { systemClock, type Clock, type Validator } from './verdict.ts'

/** ms beyond the probe's own time that others are answered from a verdict that is due, while one request asks again. */
const ASKING = 2_000

/** nginx's status for a request whose client has left. */
const CLIENT_GONE = 499

export interface AppOptions {
  config: Config
  log: Logger
  clock?: Clock
  /** Who is asked about tokens that the cache knows nothing of, cheapest first. */
  remote?: readonly Validator[]
  /** That of the app whose place this one takes: fingerprints, metrics and good verdicts go on. */
  before?: Generation
}

/** The program without its process: config, listener, guard, forward, upstream, answer. Closing it drains first. */
export function buildApp ({ config, log, clock = systemClock, remote = [], before }: AppOptions): FastifyInstance {
  const { times, limits } = config
  const drain = new Drain()
  const upstreams = config.routes.map(route => createUpstream(route, config, clock))
  const nextId = createRequestIds()
  const legacy = before?.legacy ?? foundLegacy(config, clock, log)
  const { read, loop, metrics, pipelines, refusals, journal } = legacy
  /** A request is over, and its status and ending are known. */
  const over = (record: RequestRecord): void => {
    record.endedAt = clock.wall()
    record.ms = performance.now() - record.startedAt
    record.trace?.end(record)
    journal.enter(record)
  }
  const tunnels = createSwitch(config, drain, over)
  const { observer } = metrics
  const { active, inactive, inactiveMax } = times
  const cache = new VerdictCache({ entries: limits.verdicts, active, inactive, inactiveMax, asking: times.probe + ASKING, clock, observer })
  if (before !== undefined) cache.adopt(before.verdicts, commonRoutes(config, before.config))
  const traces = config.traces === undefined ? undefined : createTraces(config.traces, log)
  const prober = new Prober({ config, upstreams, cache, clock, observer })
  const signature = createSignatureValidator(config, clock)
  const guard = createGuard({ read: readPerConnection(read), cache, local: [createClaimsValidator(clock)], remote: [signature, ...remote], prober, observer })
  const forward = createForward({ config, drain, tunnels, loop })

  const app = createFastify<RawServerDefault, IncomingMessage, ServerResponse>({
    logController: quiet,
    genReqId: nextId,
    rewriteUrl: ({ url = '/' }) => originForm(url),
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: times.requestHead,
      connectionsCheckingInterval: Math.min(times.requestHead, 5_000),
      requireHostHeader: false
    },
    pluginTimeout: 0, // closing hooks are under it, and draining takes its own time
    requestTimeout: 0, // a long upload is no attack on a server of one's own
    return503OnClosing: false, // ours has the envelope
    forceCloseConnections: true, // what still runs has been drained by then
    routerOptions: { maxParamLength: limits.headerBytes },
    frameworkErrors: (error, request, reply) => { // they come before any hook
      reply.raw.once('close', () => { pipelines.ended(reply.raw) })
      writeAnswer(reply.raw, answerTo(asSidecarError(error), request.id))
    },
    clientErrorHandler: (error, socket) => { bare.clientError(error, socket) }
  })
  app.server.maxConnections = limits.connections
  pipelines.watch(app.server)
  const bare = answerBareErrors(app, { config, log, pipelines, journal, refusals, nextId })
  const upgrades = acceptUpgrades(app, pipelines)

  app.decorateRequest('record')
  app.addHook('onRequest', (request, reply, next) => {
    const { raw: response } = reply
    const record = request.record = new RequestRecord(request.id, request.method, request.url)
    if (traces !== undefined) record.trace = traces.begin(request.raw)
    response.once('close', () => { // Fastify's onResponse passes over clients that left
      record.status ??= response.headersSent ? response.statusCode : CLIENT_GONE
      record.ending ??= response.writableFinished ? 'ours' : 'client_gone'
      over(record)
      pipelines.ended(response)
    })
    checkRequest(request.raw)
    loop.check(request.raw.headers)
    next()
  })
  const refuse = refuseBy(createOutbox(drain))
  app.setErrorHandler<Error>(refuse)
  app.setNotFoundHandler(() => {
    throw new SidecarError('no_route', { detail: config.routes.map(({ prefix }) => `${prefix}/`).join(', ') })
  })
  app.addHook('preClose', () => drain.begin(times.drain))

  app.decorate('generation', { config, legacy, verdicts: cache, idle: () => drain.idle() })
  const status = createStatus({ config, upstreams, tunnels, drain, metrics, verdicts: cache, refusals, clock, version: legacy.version, since: legacy.since })
  registerHealth(app, { config, drain, journal, metrics, verdicts: cache, status, listening: () => legacy.listening ?? (app.server.listening ? app.listeningOrigin : null) })
  app.addHook('onClose', signature.close)
  if (traces !== undefined) app.addHook('onClose', traces.close)
  const forget = metrics.observe({ upstreams, tunnels, verdicts: () => cache.size })
  app.addHook('onClose', (_app, done) => { forget(); journal.flush(); done() })
  for (const upstream of upstreams) {
    app.addHook('onClose', upstream.close)
    mount(app, { upstream, guard, forward, drain, upgrades, refuse })
  }
  return app
}

type Refuse = (thrown: Error, request: FastifyRequest, reply: FastifyReply) => void

/** Answers in our own name; Fastify would add a charset, which JSON has none of (RFC 8259 section 11). */
const refuseBy = (send: Outbox): Refuse => (thrown, request, reply) => {
  const error = asSidecarError(thrown)
  const { record } = request
  record.code = error.code
  record.detail = error.detail
  if (error.code === 'internal_error') record.error = thrown
  reply.hijack()
  send(reply.raw, answerTo(error, request.id))
}

interface Mounted { upstream: Upstream, guard: Guard, forward: Forward, drain: Drain, upgrades: Upgrades, refuse: Refuse }

/** Mounts one route: the guard first, at the earliest place that can refuse, then the forwarder behind http-proxy. */
function mount (app: FastifyInstance, { upstream, guard, forward, drain, upgrades, refuse }: Mounted): void {
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
      if (upgrades.of(raw) !== undefined) checkHandshake(raw)
      const decision = guard({ route, raw: raw.rawHeaders, method: request.method, connection: raw.socket })
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
  interface FastifyInstance { readonly generation: Generation }
}
