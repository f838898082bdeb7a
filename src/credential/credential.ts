import { hash, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import type { Route } from '../config/options.ts'
import { valuesOf } from '../wire/headers.ts'

/** Keyed digest of a credential: equal for equal credentials within one process, worth nothing outside it. */
export type Fingerprint = string & { readonly fingerprint: unique symbol }

/** A verdict is of one token in one field on one route and says nothing about another. */
export type Key = string & { readonly verdictKey: unique symbol }

/** A header field that can carry a credential, lower-case. */
export type CredentialField = 'authorization' | 'x-api-key'

/** Claims of a JWT that nobody has verified: they may reject, never accept. */
export type UnverifiedClaims = Readonly<JWTPayload>

/** A bearer credential. The token has one door, `reveal()`; everything else shows the fingerprint. */
export class Credential {
  readonly #secret: string
  #key: { readonly prefix: string, readonly key: Key } | undefined
  readonly fingerprint: Fingerprint
  /** The fields that carry it: an upstream may take a token in one field and refuse it in another. */
  readonly carrier: string
  /** Present where the token is a JWT that decodes. */
  readonly claims: UnverifiedClaims | undefined

  constructor (secret: string, fingerprint: Fingerprint, carrier: string) {
    this.#secret = secret
    this.fingerprint = fingerprint
    this.carrier = carrier
    this.claims = unverifiedClaims(secret)
  }

  /** What verdicts about it on a route are kept under; the last one is remembered, since most tokens know one route. */
  keyOn (prefix: string): Key {
    if (this.#key?.prefix !== prefix) this.#key = { prefix, key: `${this.fingerprint} ${this.carrier} ${prefix}` as Key }
    return this.#key.key
  }

  /** The token itself, for validators only; it must not be kept. */
  reveal (): string { return this.#secret }

  /** 8 hex digits: the only trace of a token in logs, metrics and answers. */
  toString (): string { return this.fingerprint.slice(0, 8) }
  toJSON (): string { return this.toString() }
  [inspect.custom] (): string { return `Credential ${this.toString()}` }
}

/** What a credential is called in words for its user: what was sent, as the clients of that upstream know it. */
export function nameOf (credential: Credential, { dialect }: Pick<Route, 'dialect'>): string {
  const { carrier } = credential
  if (!carrier.includes('authorization')) return carrier // Claude Code has a hint of its own for "invalid x-api-key"
  return dialect === 'openai' && credential.claims === undefined && credential.reveal().startsWith("sk-") ? 'API key' : 'bearer token'
}

/** What a request presents. `unjudged`: a scheme other than Bearer, which is forwarded and never remembered. */
export type Presented =
  | { readonly kind: 'credential', readonly credential: Credential }
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed', readonly detail: string }
  | { readonly kind: 'conflicting', readonly detail: string }
  | { readonly kind: 'unjudged' }

const b64token = /^[A-Za-z0-9\-._~+/]+=*$/ // RFC 6750 section 2.1
const visible = /^[\x21-\x7e]+$/ // an API key field has no grammar of its own
const placeholder = /^(?:undefined|null)$/ // what a template makes of a variable nobody set
const jwtShape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/ // RFC 7519 section 3

function unverifiedClaims (secret: string): UnverifiedClaims | undefined {
  if (!jwtShape.test(secret)) return undefined
  try {
    decodeProtectedHeader(secret)
    return decodeJwt(secret)
  } catch {
    return undefined // three parts that do not decode are an opaque token, not a bad one
  }
}

/** Why a token can not be one, or undefined. */
function fault (token: string, grammar: RegExp): string | undefined {
  if (grammar.test(token) && !placeholder.test(token)) return undefined
  if (token === '') return 'it is empty'
  if (placeholder.test(token)) return `it is the word "${token}", so a variable was not set`
  if (/^bearer\s/i.test(token)) return 'the word Bearer stands twice'
  if (/[^\x20-\x7e]/.test(token)) return 'it holds a control or non-ASCII character'
  if (/\s/.test(token)) return 'it holds a space'
  return 'it holds a character that no bearer token may have (RFC 6750)'
}

/**
 * Makes the reader that turns raw headers into what they present.
 * @param key of the fingerprints; a random one for each process, so that they can not be looked up elsewhere. They prove
 * nothing to anybody, so a hash of key and token is enough; an HMAC costs a new connection 5 % more.
 */
export function createCredentialReader (key: string = randomBytes(32).toString('hex')) {
  const present = (token: string, grammar: RegExp, carrier: string): Presented => {
    const detail = fault(token, grammar)
    if (detail !== undefined) return { kind: 'malformed', detail }
    const fingerprint = hash('sha256', key + token) as Fingerprint
    return { kind: 'credential', credential: new Credential(token, fingerprint, carrier) }
  }

  const readAuthorization = (value: string, carrier: string): Presented => {
    const token = value.replace(/^bearer(?:\s+|$)/i, '')
    return token === value ? { kind: 'unjudged' } : present(token.trim(), b64token, carrier)
  }

  /**
   * Reads the fields that carry a route's credential, most preferred first.
   * @param raw header names and values in turn, as received: what is judged must be what is sent
   */
  return function read (raw: readonly string[], fields: readonly CredentialField[]): Presented {
    const carrier = fields.filter(field => valuesOf(raw, field).length > 0).join()
    let chosen: Presented = { kind: 'missing' }
    for (const field of fields) {
      const values = valuesOf(raw, field)
      const [value] = values
      if (value === undefined) continue
      if (values.length > 1) return { kind: 'conflicting', detail: `the ${field} field is there ${values.length} times` }
      const found = field === 'authorization' ? readAuthorization(value, carrier) : present(value, visible, carrier)
      if (chosen.kind === 'missing') chosen = found
      else if (!same(chosen, found)) return { kind: 'conflicting', detail: 'x-api-key and Authorization hold different values' }
    }
    return chosen
  }
}

const same = (a: Presented, b: Presented): boolean =>
  a.kind === 'credential' && b.kind === 'credential' && a.credential.fingerprint === b.credential.fingerprint

export type CredentialReader = ReturnType<typeof createCredentialReader>
