import type { Inactive, Source } from './verdict.ts'

/** How an upstream's answer speaks of the credential that went with the request. */
export type Testimony =
  | { readonly kind: 'accepted', readonly source: Source }
  | { readonly kind: 'rejected', readonly verdict: Inactive }
  /** A 401 that does not say what is wrong: no verdict. One to a WebSocket handshake is never the second one. */
  | { readonly kind: 'ambiguous', readonly handshake?: boolean }
  /** Any other answer, or none: says nothing. */
  | { readonly kind: 'silent' }
