import type { IncomingMessage, ServerResponse } from 'node:http'
import createFastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type RawServerDefault } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import { systemClock, type Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Route } from '../config/options.ts'
import { listed, routesBeneath } from '../config/routes.ts'
import { readPerConnection } from '../credential/per-connection.ts'
import { answerBareErrors } from '../downstream/client-error.ts'
import { checkRequest } from '../downstream/conformance.ts'
import { Drain } from '../downstream/drain.ts'
import { createOutbox } from '../downstream/outbox.ts'
import { createRequestIds } from '../downstream/request-id.ts'
import { acceptUpgrades } from '../downstream/upgrade.ts'
import { readOut } from '../downstream/upload.ts'
import { createForward } from '../forward/forward.ts'
import { LoginFiles } from '../logins/login-files.ts'
import { ownSqlite } from '../logins/sqlite.ts'
import { isReachabilityCheck, registerHealth } from '../status/health.ts'
import { createHeld } from '../status/held.ts'
import { createNewer } from '../status/newer.ts'
import { createStatus } from '../status/status.ts'
import { quiet } from '../telemetry/access-log.ts'
import type { Log } from '../telemetry/log.ts'
import { RequestRecord } from '../telemetry/record.ts'
import { createTraces } from '../telemetry/traces.ts'
import { createSwitch } from '../tunnel/switching-protocols.ts'
import type { UpstreamClock } from '../upstream/clock.ts'
import { createUpstream } from '../upstream/upstream.ts'
import { VerdictCache } from '../verdict/cache/cache.ts'
import { createGuard } from '../verdict/guard.ts'
import { createClaimsValidator } from '../verdict/local/claims.ts'
import { createSignatureValidator } from '../verdict/local/signature.ts'
import { Prober } from '../verdict/probe/prober.ts'
import type { Validator } from '../verdict/verdict.ts'
import { isFromForeignPage } from '../wire/fields/fetch-metadata.ts'
import { METHODS } from '../wire/node-http.ts'
import { originForm, pathOf } from '../wire/target.ts'
import { commonRoutes, foundLegacy, type Generation } from './generation.ts'
import { circuitOpened, observedBy } from './marks.ts'
import { hintedGuard } from './hints.ts'
import { mount } from './mount.ts'
import { refuseBy } from './refuse.ts'
import { renewedBy } from './renewal.ts'

/** ms beyond the probe's own time that others are answered from a verdict that is due, while one request asks again. */
const ASKING = 2_000

/** nginx's status for a request whose client has left. */
const CLIENT_GONE = 499

export interface AppOptions {
  config: Config
  log: Log
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
  const nextId = createRequestIds()
  const wait = (): () => void => drain.track({})
  const route = (request: IncomingMessage, response: ServerResponse): void => { app.routing(request, response) }
  const legacy = before?.legacy ?? foundLegacy(config, clock, log)
  const { read, likenessOf, loop, metrics, pipelines, refusals, journal, history, usage } = legacy
  const upstreams = config.routes.map(route => createUpstream(route, config, clock, () => { history.mark(circuitOpened(route, clock)) }))
  /** A request is over, and its status and ending are known. */
  const over = (record: RequestRecord): void => {
    record.endedAt = clock.wall()
    record.ms = performance.now() - record.startedAt
    record.trace?.end(record)
    journal.enter(record)
  }
  const opened = (record: RequestRecord): void => {
    record.endedAt = clock.wall()
    legacy.opened(record)
  }
  const tunnels = createSwitch(config, legacy.tunnels, drain, { opened, over })
  const logins = new LoginFiles({ folders: config.clientFolders, read, markOf: credential => credential.markBy(usage.salt), sqlite: ownSqlite, clock })
  const newer = createNewer(logins, usage)
  const observer = renewedBy(observedBy(metrics.observer, history, clock), { newer, usage, clock, recall: (key, since) => { cache.recall(key, since) } })
  const { active, inactive, inactiveMax } = times
  const cache = new VerdictCache({ entries: limits.verdicts, active, inactive, inactiveMax, asking: times.probe + ASKING, clock, observer })
  if (before !== undefined) {
    cache.adopt(before.verdicts, commonRoutes(config, before.config))
    history.mark({ at: clock.wall(), kind: 'configuration', words: 'configuration read again' })
  }
  const traces = config.traces === undefined ? undefined : createTraces(config.traces, log)
  const prober = new Prober({ config, upstreams, cache, clock, observer })
  const signature = createSignatureValidator(config, clock)
  const clocks = new Map(upstreams.map(upstream => [upstream.route, upstream.clock]))
  const clockOf = (route: Route): UpstreamClock => clocks.get(route) as UpstreamClock // every route has its upstream
  const bareGuard = createGuard({
    read: readPerConnection(read), likenessOf, cache, local: createClaimsValidator(clockOf), clockOf, clock,
    remote: [signature, ...remote], prober, observer
  })
  const guard = config.clientLogins === 'answers' ? hintedGuard(bareGuard, newer, () => clock.wall()) : bareGuard
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
      begin(request, reply)
      refuse(error, request, reply)
    },
    clientErrorHandler: (error, socket) => { bare.clientError(error, socket) }
  })
  app.server.maxConnections = limits.connections
  app.server.maxHeadersCount = 0 // as many as limits.headerBytes has room for: Node leaves out those beyond 2,000 and goes on without them
  app.server.removeAllListeners('request')
  for (const event of ['request', 'checkContinue', 'checkExpectation']) { // an upload that waits for our word gets it from the forwarder, once the guard has passed it
    app.server.on(event, (request: IncomingMessage, response: ServerResponse) => { pipelines.take(route, request, response, wait) })
  }
  const bare = answerBareErrors(app, { config, log, pipelines, journal, refusals, nextId })
  const upgrades = acceptUpgrades(app, pipelines, wait)

  app.decorateRequest('record')
  /** Every request is on record from here on, until its answer is over. */
  const begin = (request: FastifyRequest, { raw: response }: FastifyReply): void => {
    const { id, method, url, raw } = request
    const { 'user-agent': userAgent, originator } = raw.headers as Record<string, string | undefined>
    const record = request.record = new RequestRecord({ id, method, target: url, foreign: isFromForeignPage(method, raw.headers), userAgent, originator })
    if (traces !== undefined) record.trace = traces.begin(raw)
    response.once('close', () => { // Fastify's onResponse passes over clients that left
      record.status ??= response.headersSent ? response.statusCode : CLIENT_GONE
      record.ending ??= response.writableFinished ? 'ours' : 'client_gone'
      over(record)
      pipelines.ended(response)
      readOut(request.raw, times.idleUpload)
    })
  }
  app.addHook('onRequest', (request, reply, next) => {
    begin(request, reply)
    checkRequest(request.raw)
    loop.check(request.raw.headers)
    next()
  })
  const refuse = refuseBy(createOutbox(drain))
  app.setErrorHandler<Error>(refuse)
  app.setNotFoundHandler(({ method, url }, reply) => {
    if (method === 'HEAD' && isReachabilityCheck(pathOf(url))) return reply.send()
    throw new SidecarError('no_route', { detail: listed(config.routes) })
  })
  app.addHook('preClose', () => drain.begin(times.drain))

  app.decorate('generation', { config, legacy, verdicts: cache, idle: () => drain.idle(), end: () => drain.end(times.drain) })
  const status = createStatus({ config, upstreams, tunnels, drain, metrics, verdicts: cache, refusals, usage, history, newer, clock, version: legacy.version, since: legacy.since })
  registerHealth(app, { config, drain, journal, metrics, verdicts: cache, status, held: createHeld({ config, read, usage, verdicts: cache, newer, clock }), listening: () => legacy.listening ?? (app.server.listening ? app.listeningOrigin : null) })
  app.addHook('onClose', signature.close)
  if (traces !== undefined) app.addHook('onClose', traces.close)
  const forget = metrics.observe({ upstreams, tunnels, verdicts: () => cache.size })
  app.addHook('onClose', (_app, done) => { forget(); journal.flush(); done() })
  for (const upstream of upstreams) app.addHook('onClose', upstream.close)
  for (const method of METHODS) if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true }) // what it means is the upstream's business
  for (const prefix of new Set(config.routes.map(({ prefix }) => prefix))) {
    mount(app, { prefix, upstreams: routesBeneath(prefix, upstreams), guard, forward, drain, upgrades, refuse, patience: times.place })
  }
  return app
}

declare module 'fastify' {
  interface FastifyInstance { readonly generation: Generation }
}
