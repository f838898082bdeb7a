import httpProxy from '@fastify/http-proxy'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SidecarError } from '../answers/errors.ts'
import type { Route } from '../config/options.ts'
import { isDoubled, listed, nameOf } from '../config/routes.ts'
import { checkTarget } from '../downstream/conformance.ts'
import { meantFor } from '../credential/meant.ts'
import type { Drain } from '../downstream/drain.ts'
import { checkHandshake, type Upgrades } from '../downstream/upgrade.ts'
import type { Forward, Judged } from '../forward/forward.ts'
import type { Shares } from '../upstream/shares.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Guard } from '../verdict/guard.ts'
import { holderOf } from '../verdict/unjudged.ts'
import { hostName, isAddress, isLoopback } from '../wire/host.ts'
import { pathOf } from '../wire/target.ts'
import { choose } from './choose.ts'
import type { Refuse } from './refuse.ts'

/** nginx's status for a request whose client has left. */
const CLIENT_GONE = 499

/**
 * A web page can make its own name lead here (DNS rebinding), and use what needs no credential.
 * @throws SidecarError `forbidden_host`
 */
function checkHost ({ allowedHosts }: Route, host = ''): void {
  const name = hostName(host)
  if (allowedHosts === undefined || isLoopback(name) || isAddress(name) || allowedHosts.includes(name.toLowerCase())) return
  throw new SidecarError('forbidden_host', { detail: JSON.stringify(name.slice(0, 80)) })
}

/** What the routes beneath a prefix are made of. */
export interface Mounted {
  prefix: string
  /** Those that a request there may go to, the most specific first. */
  upstreams: readonly Upstream[]
  guard: Guard
  forward: Forward
  drain: Drain
  upgrades: Upgrades
  refuse: Refuse
  /** ms for which a place in a full lane is waited for. */
  patience: number
}

/** A request that the guard has decided about. */
type Asked = Pick<Judged, 'upstream' | 'fields' | 'decision'>

/** Mounts the routes beneath one prefix: the guard first, at the earliest place that can refuse, then the forwarder behind http-proxy. */
export function mount (app: FastifyInstance, { prefix, upstreams, guard, forward, drain, upgrades, refuse, patience }: Mounted): void {
  const pass = (request: FastifyRequest, reply: FastifyReply): void => { forward(request, reply, request.judged) }
  /** Straight on from the hook: http-proxy would parse the URL three times first, and Fastify the Content-Type, for nothing. */
  const settle = (request: FastifyRequest, reply: FastifyReply, { upstream, fields, decision }: Asked): Promise<void> | void => {
    const { record } = request
    const { refusal, lane, source, credential } = decision
    record.source = source
    record.credential = credential
    record.guardMs = performance.now() - record.startedAt
    if (refusal !== undefined) return refuse(refusal, request, reply)
    record.lane = lane
    const { shares } = upstream.lanes[lane]
    const holder = holderOf(decision)
    const enter = (leave: () => void): void => {
      request.judged = { upstream, decision, fields, upgrade: upgrades.of(request.raw), leave }
      pass(request, reply)
    }
    return shares.admits(holder) ? enter(shares.take(holder)) : queue(reply.raw, shares, holder).then(enter)
  }
  /** A lane that is full is waited for, unless the client leaves first. */
  const queue = async (response: ServerResponse, shares: Shares, holder: string): Promise<() => void> => {
    const gone = new AbortController()
    response.once('close', () => { gone.abort() })
    const done = drain.track({})
    return await shares.wait(holder, { patience, signal: gone.signal }).finally(done)
  }
  /** Where a request goes. */
  const find = ({ url, method, raw, record }: FastifyRequest): Upstream => {
    const upstream = choose(upstreams, method, raw.rawHeaders)
    if (upstream === undefined) throw new SidecarError('no_route', { detail: listed(upstreams.map(({ route }) => route)) })
    const { route } = upstream
    record.route = nameOf(route)
    if (isDoubled(pathOf(url), route)) throw new SidecarError('no_route', { detail: `${listed([route])}, and this path has ${route.prefix} twice` })
    return upstream
  }
  app.register((scope, _options, done) => {
    scope.decorateRequest('judged')
    scope.addHook('onRequest', (request, reply, next) => {
      const { raw } = request
      const upstream = find(request)
      const { route } = upstream
      if (drain.begun) throw new SidecarError('draining', { retryAfter: 1 })
      checkHost(route, raw.headers.host)
      checkTarget(request.url, route)
      const handshake = upgrades.of(raw) !== undefined
      if (handshake) checkHandshake(raw)
      const fields = meantFor(route, raw.rawHeaders)
      const path = pathOf(request.url)
      const decision = guard({ route, raw: fields, method: request.method, path, query: request.url.slice(path.length), handshake, connection: raw.socket })
      if (!(decision instanceof Promise)) {
        settle(request, reply, { upstream, fields, decision })?.catch(next)
        return
      }
      const done = drain.track({}) // it has its own, short time
      decision.then(settled => {
        if (!reply.raw.destroyed) return settle(request, reply, { upstream, fields, decision: drain.begun ? { ...settled, refusal: new SidecarError('draining', { retryAfter: 1 }) } : settled })
        settled.learn(CLIENT_GONE, []) // if it was to ask again for all, another one may
        reply.hijack()
      }).catch(next).finally(done)
    })
    scope.register(httpProxy, {
      prefix,
      upstream: (upstreams[0] as Upstream).route.upstream, // it has to have one; `handler` knows which
      httpMethods: [...app.supportedMethods],
      // `websocket: true` stays unused: it drops Authorization, answers 101 before the upstream has agreed, and
      // takes a paused client's whole stream into memory.
      handler: pass
    })
    done()
  })
}

declare module 'fastify' {
  interface FastifyRequest { judged: Judged }
}
