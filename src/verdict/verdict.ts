import type { Credential, Key } from '../credential/credential.ts'
import type { Presentation } from '../credential/presentation.ts'
import type { Shape } from '../credential/shape.ts'

/** Why a credential is refused; stable, and the code of the answer. */
export type Reason =
  | 'missing_token' | 'malformed_token' | 'token_expired' | 'token_not_yet_valid'
  | 'wrong_route' | 'invalid_signature' | 'token_rejected'

/** Who said so. */
export type Source = 'syntax' | 'claims' | 'signature' | 'probe' | 'upstream'

/** What an upstream said when it refused a token, fit to be said again: bounded, and nothing like a secret in it. */
export interface Quote {
  readonly words: string
  /** Raw list of those of its header fields that stay on our answer. */
  readonly fields: readonly string[]
}

export interface Active { readonly state: 'active', readonly source: Source }
export interface Inactive {
  readonly state: 'inactive'
  readonly reason: Reason
  readonly source: Source
  /** What fills the answer's words; holds nothing of the token. */
  readonly detail: string
  readonly quote?: Quote | undefined
}

/** A certain answer about a credential. "Could not tell" is no verdict: it is `undefined`, and it forwards. */
export type Verdict = Active | Inactive

/** What is shown of a key that an upstream names. */
export interface Shown { readonly begins: string, readonly ends: string }

/** The credential that dead-token words are about: the keys that they name, and whether it is a login. */
export interface About { readonly names: readonly Shown[], readonly login: boolean }

/**
 * How an upstream's answer speaks of the credential that went with the request, and how far its word reaches
 * (design.md section 3): the token, requests like the one that was answered, or nothing.
 */
export type Testimony =
  | { readonly kind: 'accepted', readonly source: Source }
  /** The token itself is dead. `inBand`: it was said after a 101, by which the handshake was no refusal. */
  | { readonly kind: 'rejected', readonly reach: 'token', readonly verdict: Inactive, readonly about?: About, readonly inBand?: boolean }
  /** A 401 that does not say what is wrong: many in a row count against requests like it. */
  | { readonly kind: 'rejected', readonly reach: 'request', readonly verdict: Inactive }
  /** Not over yet: a 101 says nothing, what comes after it may. */
  | { readonly kind: 'pending' }
  /** Any other answer, or none: says nothing. */
  | { readonly kind: 'silent' }

/** What an upstream's judgement may depend on besides the token. */
export interface Likeness {
  readonly shape: Shape
  /** A handshake is never like an HTTP request, and a refused one speaks of no other. */
  readonly handshake: boolean
  /** Method, path, and what else in it may tell who asks. */
  readonly request: string
}

/** One way to learn about a credential; it never throws. A promise of undefined can not tell; undefined itself has nothing to do with this request. */
export interface Validator {
  validate: (credential: Credential, presentation: Presentation) => Promise<Verdict | undefined> | undefined
}

/** A key with the prefix of its route, what the request was like, and the place of its start in the order of all events. */
export interface Subject { readonly key: Key, readonly route: string, readonly like: Likeness, readonly order: number }

/** What the cache knew when a request came: `due` for the one request that asks again about an inactive verdict. */
export type Found = 'active' | 'inactive' | 'suspect' | 'due' | 'unknown'

/** What asking the upstream about a token came to: `skipped` was not asked, for one of the limits; `failed` got no answer. */
export type ProbeOutcome = 'active' | 'inactive' | 'ambiguous' | 'silent' | 'failed' | 'skipped'

/** How far a refusal reaches. */
export type Reach = 'token' | 'request'

/** Is told what happens to verdicts; it learns keys and routes, never tokens. */
export interface VerdictObserver {
  readonly looked: (subject: Subject, found: Found) => void
  /** A verdict was made or confirmed. */
  readonly judged: (subject: Subject, verdict: Verdict) => void
  /** A 401 without a reason counts against requests like it. */
  readonly suspected: (subject: Subject) => void
  /** A request was refused in our own name. */
  readonly refused: (subject: Subject, reach: Reach) => void
  /** The upstream answered 2xx. */
  readonly succeeded: (subject: Subject) => void
  readonly probed: (subject: Subject, outcome: ProbeOutcome) => void
}
