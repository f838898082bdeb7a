import type { Credential, Key } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'

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

/** How an upstream's answer speaks of the credential that went with the request. */
export type Testimony =
  | { readonly kind: 'accepted', readonly source: Source }
  | { readonly kind: 'rejected', readonly verdict: Inactive }
  /** A 401 that does not say what is wrong: no verdict. One to a WebSocket handshake is never the second one. */
  | { readonly kind: 'ambiguous', readonly handshake?: boolean }
  /** Any other answer, or none: says nothing. */
  | { readonly kind: 'silent' }

/** One way to learn about a credential; it never throws. A promise of undefined can not tell; undefined itself has nothing to do with this request. */
export interface Validator {
  validate: (credential: Credential, presentation: Presentation) => Promise<Verdict | undefined> | undefined
}

/** A key with the prefix of its route. */
export interface Subject { readonly key: Key, readonly route: string }

/** What the cache knew when a request came: `due` for the one request that asks again about an inactive verdict. */
export type Found = 'active' | 'inactive' | 'suspect' | 'due' | 'unknown'

/** What asking the upstream about a token came to: `skipped` was not asked, for one of the limits; `failed` got no answer. */
export type ProbeOutcome = 'active' | 'inactive' | 'ambiguous' | 'silent' | 'failed' | 'skipped'

/** Is told what happens to verdicts; it learns keys and routes, never tokens. */
export interface VerdictObserver {
  readonly looked: (subject: Subject, found: Found) => void
  /** A verdict was made or confirmed. */
  readonly judged: (subject: Subject, verdict: Verdict) => void
  /** A 401 without a reason counts against the token. */
  readonly suspected: (subject: Subject) => void
  /** A request was refused in our own name. */
  readonly refused: (subject: Subject) => void
  /** The upstream answered 2xx. */
  readonly succeeded: (subject: Subject) => void
  readonly probed: (subject: Subject, outcome: ProbeOutcome) => void
}
