import { LRUCache } from 'lru-cache'
import { SidecarError } from '../answers/errors.ts'
import type { Credential, Presented } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import type { LaneName } from '../upstream/lane.ts'
import { valuesOf } from '../wire/headers.ts'
import type { Ticket, VerdictCache } from './cache.ts'
import type { Prober } from './prober.ts'
import { testimonyOf } from './testimony.ts'
import type { Inactive, Reason, Source, Testimony, Validator, Verdict, VerdictObserver } from './verdict.ts'

/** What the guard decided about one request. */
export interface Decision {
  /** Set where the request must not go upstream: the answer to it. */
  readonly refusal: SidecarError | undefined
  /** Who refused, or who called the token good. */
  readonly source: Source | undefined
  readonly lane: LaneName
  readonly credential: Credential | undefined
  /**
   * Reports the final answer of the upstream to this request; a body that did not arrive whole is undefined.
   * @returns whether it says for certain that the token is dead
   */
  readonly learn: (status: number, headers: readonly string[], body?: Buffer) => boolean
}

export interface GuardOptions {
  read: (presentation: Presentation) => Presented
  cache: VerdictCache
  /** Checks that need nobody else, cheapest first. They are made for every request. */
  local: readonly { validate: (credential: Credential, presentation: Presentation) => Inactive | undefined }[]
  /** Checks for tokens the cache knows nothing about, cheapest first; the first certain answer wins. */
  remote: readonly Validator[]
  /** Asks the upstream where nobody else could tell. */
  prober?: Pick<Prober, 'first' | 'beside'>
  observer?: VerdictObserver
}

/** A request with a credential, as far as it is judged. */
interface Case { readonly credential: Credential, readonly ticket: Ticket, readonly presentation: Presentation }

/** What an answer says, given what was asked. */
function inContext (testimony: Testimony, { raw, method }: Presentation): Testimony {
  // Servers answer OPTIONS without looking at the credential.
  if (testimony.kind === 'accepted' && method === 'OPTIONS') return { kind: 'silent' }
  // Good tokens get these, and clients try a handshake many times in a row (openai/codex#39578).
  return testimony.kind === 'ambiguous' ? { kind: 'ambiguous', handshake: valuesOf(raw, 'upgrade').length > 0 } : testimony
}

/** Refusals in different words that are kept. */
const REFUSALS = 500

const ignore = (): boolean => false

/**
 * The only place that decides whether a request may go upstream; HTTP requests and upgrades share it. When it can
 * not tell, it forwards.
 */
export function createGuard ({ read, cache, local, remote, prober, observer }: GuardOptions) {
  /** The same words for the same reason: a bad token seldom comes once. */
  const refusals = new LRUCache<string, SidecarError>({ max: REFUSALS })
  const refusalFor = (reason: Reason, detail: string): SidecarError => {
    const key = `${reason} ${detail}`
    const known = refusals.get(key)
    if (known !== undefined) return known
    const refusal = new SidecarError(reason, { detail })
    refusals.set(key, refusal)
    return refusal
  }

  /** Who may ask the upstream about a credential. */
  const askerFor = ({ askable }: Credential): GuardOptions['prober'] => askable ? prober : undefined

  const pass = ({ credential, ticket, presentation }: Case, verdict: Verdict | undefined): Decision => ({
    refusal: undefined,
    source: verdict?.source,
    lane: verdict === undefined ? 'unverified' : 'verified',
    credential,
    learn: (status, headers, body) => {
      const testimony = testimonyOf('upstream', status, headers, body)
      const { kind } = testimony
      cache.learn(ticket, inContext(testimony, presentation))
      if (kind === 'ambiguous') askerFor(credential)?.beside(credential, presentation)
      return kind === 'rejected'
    }
  })

  const refuse = ({ reason, detail, source }: Inactive, { credential, ticket }: Partial<Case> = {}): Decision => {
    // A wrong route is the request's mistake; the token may be good on it with other fields.
    if (ticket !== undefined && reason !== 'wrong_route') observer?.refused(ticket)
    return {
      refusal: refusalFor(reason, detail),
      source,
      lane: 'unverified',
      credential,
      learn: ignore
    }
  }

  const decide = (about: Case, verdict: Verdict | undefined): Decision =>
    verdict?.state === 'inactive' ? refuse(verdict, about) : pass(about, verdict)

  /** Goes through the validators from the one given on; it stays synchronous as long as they do. */
  function ask (about: Case, from = 0): Decision | Promise<Decision> {
    const { credential, presentation } = about
    for (let i = from; i < remote.length; i++) {
      const answer = (remote[i] as Validator).validate(credential, presentation)
      if (answer !== undefined) return answer.then(verdict => verdict === undefined ? ask(about, i + 1) : remember(about, verdict))
    }
    const flight = askerFor(credential)?.first(credential, presentation)
    return flight === undefined ? pass(about, undefined) : flight.then(verdict => decide(about, verdict))
  }

  const remember = (about: Case, verdict: Verdict): Decision =>
    decide(about, cache.learn(about.ticket, verdict.state === 'active' ? { kind: 'accepted', source: verdict.source } : { kind: 'rejected', verdict }))

  /** Decides at once where nobody has to be asked, which is nearly always. */
  return function judge (presentation: Presentation): Decision | Promise<Decision> {
    const presented = read(presentation)
    switch (presented.kind) {
      case 'missing':
        return refuse({ state: 'inactive', reason: 'missing_token', source: 'syntax', detail: presented.detail })
      case 'malformed':
        return refuse({ state: 'inactive', reason: 'malformed_token', source: 'syntax', detail: presented.detail })
      case 'conflicting':
        return { refusal: new SidecarError('invalid_request', { detail: presented.detail }), source: 'syntax', lane: 'unverified', credential: undefined, learn: ignore }
      case 'unjudged':
        // Where nobody needs a credential none can be bad.
        return { refusal: undefined, source: undefined, lane: presentation.route.credential.length === 0 ? 'verified' : 'unverified', credential: undefined, learn: ignore }
      case 'credential':
    }
    const { credential } = presented
    const about: Case = { credential, presentation, ticket: cache.ticket(credential, presentation.route) }
    for (const validator of local) {
      const verdict = validator.validate(credential, presentation)
      if (verdict !== undefined) return refuse(verdict, about)
    }
    const { verdict, ask: whether } = cache.look(about.ticket)
    if (whether === 'first') return ask(about)
    if (whether === 'beside') askerFor(credential)?.beside(credential, presentation)
    return decide(about, verdict)
  }
}

export type Guard = ReturnType<typeof createGuard>
