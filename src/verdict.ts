import type { Credential } from './credential.ts'
import type { Route } from './options.ts'

/** Why a credential is refused; stable, and the code of the answer. */
export type Reason =
  | 'missing_token' | 'malformed_token' | 'token_expired' | 'token_not_yet_valid'
  | 'wrong_route' | 'invalid_signature' | 'token_rejected'

/** Who said so. */
export type Source = 'syntax' | 'claims' | 'signature' | 'probe' | 'upstream'

export interface Active { readonly state: 'active', readonly source: Source }
export interface Inactive {
  readonly state: 'inactive'
  readonly reason: Reason
  readonly source: Source
  /** What fills the answer's words; holds nothing of the token. */
  readonly detail: string
}

/** A certain answer about a credential. "Could not tell" is no verdict: it is `undefined`, and it forwards. */
export type Verdict = Active | Inactive

/** The request that a credential came with, as far as a validator may look at it. */
export interface Presentation {
  readonly route: Route
  /** Raw header list of the request. */
  readonly raw: readonly string[]
}

/** One way to learn about a credential; it never throws and answers undefined when it can not tell. */
export interface Validator {
  validate: (credential: Credential, presentation: Presentation) => Verdict | undefined | Promise<Verdict | undefined>
}

/** Time as a parameter. */
export interface Clock {
  /** Milliseconds that never run backwards, for how long something holds. */
  monotonic: () => number
  /** Milliseconds since 1970, for what tokens say of themselves. */
  wall: () => number
}

export const systemClock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() }
