import { LRUCache } from 'lru-cache'
import { SidecarError } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import type { Route } from '../config/options.ts'
import { nameOf } from '../config/routes.ts'
import { calledAs, type Credential, type Fingerprint, type Presented } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import type { UpstreamClock } from '../upstream/clock.ts'
import type { LaneName } from '../upstream/lane.ts'
import { timeOf } from '../wire/fields/http-date.ts'
import type { VerdictCache } from './cache/cache.ts'
import type { Ticket } from './cache/ticket.ts'
import { endOf } from './local/claims.ts'
import type { Prober } from './probe/prober.ts'
import { ofThis } from './testimony/about.ts'
import { inContext, withoutToken } from './testimony/context.ts'
import { testimonyInBand, testimonyOf } from './testimony/testimony.ts'
import { Unjudged } from './unjudged.ts'
import { Unswitched } from './unswitched.ts'
import type { Inactive, Likeness, Reach, Source, Validator, Verdict, VerdictObserver } from './verdict.ts'

/** What the guard decided about one request. */
export interface Decision {
  /** Set where the request must not go upstream: the answer to it. */
  readonly refusal: SidecarError | undefined
  /** Who refused, or who called the token good. */
  readonly source: Source | undefined
  readonly lane: LaneName
  readonly credential: Credential | undefined
  /** Of a credential that is not judged. */
  readonly holder?: Fingerprint
  /**
   * Reports the final answer of the upstream to this request; a body that did not arrive whole is undefined.
   * @returns whether it says for certain that the token is dead
   */
  readonly learn: (status: number, headers: readonly string[], body?: Buffer) => boolean
  /** Reports an error event of a stream, or an error message of a WebSocket, as parsed JSON. */
  readonly overhear: (event: unknown) => void
  /** Reports that an accepted WebSocket has ended early after next to nothing, which may be the token's doing. */
  readonly doubt: () => void
}

export interface GuardOptions {
  read: (presentation: Presentation) => Presented
  cache: VerdictCache
  /** What requests have in common besides their token. */
  likenessOf: (presentation: Presentation) => Likeness
  /** What the credential says of itself. It is asked for every request, and needs the upstream only for the time. */
  local: { validate: (credential: Credential, presentation: Presentation) => Inactive | undefined | Promise<Inactive | undefined> }
  /** By which a route's upstream judges. */
  clockOf: (route: Route) => UpstreamClock
  clock: Pick<Clock, 'monotonic'>
  /** Checks for tokens the cache knows nothing about, cheapest first; the first certain answer wins. */
  remote: readonly Validator[]
  /** Asks the upstream where nobody else could tell. */
  prober?: Pick<Prober, 'first' | 'beside'>
  observer?: VerdictObserver
}

/** A request with a credential, as far as it is judged. */
interface Case { readonly credential: Credential, readonly ticket: Ticket, readonly presentation: Presentation }

/** Refusals in different words that are kept. */
const REFUSALS = 500

/** For requests that are not judged. */
const ignore = (): boolean => false
const unheard = { learn: ignore, overhear: ignore, doubt: ignore }

/**
 * The only place that decides whether a request may go upstream; HTTP requests and upgrades share it. When it can
 * not tell, it forwards.
 */
export function createGuard ({ read, likenessOf, cache, local, clockOf, clock, remote, prober, observer }: GuardOptions) {
  /** The same words for the same reason: a bad token seldom comes once. */
  const refusals = new LRUCache<string, SidecarError>({ max: REFUSALS })
  const refusalFor = ({ reason, detail, quote }: Inactive, about?: Case): SidecarError => {
    const named = about === undefined ? 'bearer token' : calledAs(about.credential, about.presentation.route)
    const { words = '', fields = [] } = quote ?? {}
    const said = words === '' ? detail : `${detail}: ${words}`
    const key = [reason, said, named, ...fields].join('\n')
    const known = refusals.get(key)
    if (known !== undefined) return known
    const refusal = new SidecarError(reason, { detail: said, named, fields })
    refusals.set(key, refusal)
    return refusal
  }

  const unswitched = new Unswitched()
  const unjudged = new Unjudged()

  const unread = (presentation: Presentation, holder: Fingerprint): Decision => ({
    refusal: undefined, source: undefined, lane: unjudged.lane(holder, presentation), credential: undefined, holder, ...unheard,
    learn: status => {
      unjudged.learn(holder, presentation, status)
      return false
    }
  })

  const ticketFor = (credential: Credential, presentation: Presentation): Ticket => {
    const { route } = presentation
    return cache.ticket({ key: credential.keyOn(nameOf(route)), route: nameOf(route), like: likenessOf(presentation), ends: endOf(credential, clockOf(route), clock.monotonic()) })
  }

  const pass = (about: Case, source: Source | undefined, lane: LaneName): Decision => {
    const { credential, ticket, presentation } = about
    const { route } = presentation
    const judging = clockOf(route)
    const since = judging.stale ? judging.moment() : undefined
    let within = ticket
    return {
      refusal: undefined,
      source,
      lane,
      credential,
      learn: (status, headers, body) => {
        unswitched.learn(presentation, status)
        if (since !== undefined && judging.stale) judging.note(timeOf(headers), since)
        const testimony = withoutToken(inContext(ofThis(testimonyOf(route, 'upstream', { status, headers, body }), credential), presentation), credential)
        const left = cache.learn(ticket, testimony)
        within = cache.ticket(ticket)
        if (testimony.kind !== 'rejected') return false
        if (left?.state !== 'inactive') prober?.beside(credential, presentation, ticket, testimony.reach === 'request' && !ticket.like.handshake)
        return testimony.reach === 'token'
      },
      overhear: event => {
        // It is newer than the answer's head, but no newer than what came of later requests; and all of it is one word.
        const testimony = withoutToken(ofThis(testimonyInBand(route, event), credential), credential)
        cache.learn(within, testimony.kind === 'rejected' ? testimony : { kind: 'pending' })
      },
      doubt: () => { cache.doubt(ticket) }
    }
  }

  const refuse = (verdict: Inactive, about?: Case, reach: Reach = 'token'): Decision => {
    // A wrong route is the request's mistake; the token may be good on it with other fields.
    if (about !== undefined && verdict.reason !== 'wrong_route') observer?.refused(about.ticket, reach)
    const refusal = about !== undefined && unswitched.has(about.presentation) ? new SidecarError('upgrade_required', { fields: ['Upgrade', 'HTTP/1.1'] }) : refusalFor(verdict, about)
    return { refusal, source: verdict.source, lane: 'unverified', credential: about?.credential, ...unheard }
  }

  /** Requests like this one may have waited for others' answers: it begins now, so that its own is no older than those. */
  const goOn = (about: Case, verdict: Verdict | undefined): Decision => verdict?.state === 'inactive'
    ? refuse(verdict, about)
    : pass({ ...about, ticket: cache.ticket(about.ticket) }, verdict?.source, cache.laneOf(about.ticket))

  /** Goes through the validators from the one given on; it stays synchronous as long as they do. */
  function ask (about: Case, from = 0): Decision | Promise<Decision> {
    const { credential, presentation, ticket } = about
    for (let i = from; i < remote.length; i++) {
      const answer = (remote[i] as Validator).validate(credential, presentation)
      if (answer !== undefined) return answer.then(verdict => verdict === undefined ? ask(about, i + 1) : remember(about, verdict))
    }
    const flight = prober?.first(credential, presentation, ticket)
    return flight === undefined ? pass(about, undefined, 'unverified') : flight.then(verdict => goOn(about, verdict))
  }

  const remember = (about: Case, verdict: Verdict): Decision =>
    goOn(about, cache.learn(about.ticket, verdict.state === 'active' ? { kind: 'accepted', source: verdict.source } : { kind: 'rejected', reach: 'token', verdict }))

  /** Decides by what is known, nearly always at once. */
  function decide (about: Case): Decision | Promise<Decision> {
    const { verdict, reach, ask: whether, lane } = cache.look(about.ticket)
    if (verdict?.state === 'inactive') return refuse(verdict, about, reach)
    if (whether === 'first') return ask(about)
    if (whether === 'beside') prober?.beside(about.credential, about.presentation, about.ticket)
    return pass(about, verdict?.source, lane)
  }

  /** Decides at once where nobody has to be asked, which is nearly always. */
  return function judge (presentation: Presentation): Decision | Promise<Decision> {
    const presented = read(presentation)
    switch (presented.kind) {
      case 'missing':
        return refuse({ state: 'inactive', reason: 'missing_token', source: 'syntax', detail: presented.detail })
      case 'malformed':
        return refuse({ state: 'inactive', reason: 'malformed_token', source: 'syntax', detail: presented.detail })
      case 'conflicting':
        return { refusal: new SidecarError('invalid_request', { detail: presented.detail }), source: 'syntax', lane: 'unverified', credential: undefined, ...unheard }
      case 'unjudged':
        if (presented.holder !== undefined) return unread(presentation, presented.holder)
        // Where nobody needs a credential none can be bad.
        return { refusal: undefined, source: undefined, lane: presentation.route.credential.length === 0 ? 'verified' : 'unverified', credential: undefined, ...unheard }
      case 'credential':
    }
    const { credential } = presented
    const about: Case = { credential, presentation, ticket: ticketFor(credential, presentation) }
    const word = local.validate(credential, presentation)
    if (word instanceof Promise) return word.then(verdict => verdict === undefined ? decide({ ...about, ticket: ticketFor(credential, presentation) }) : refuse(verdict, about))
    return word === undefined ? decide(about) : refuse(word, about)
  }
}

export type Guard = ReturnType<typeof createGuard>
