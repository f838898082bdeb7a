import { hash, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { decodeProtectedHeader } from 'jose'
import type { Route } from '../config/options.ts'
import { credentialFields } from '../config/routes.ts'
import { valuesOf } from '../wire/headers.ts'
import { jsonObject } from '../wire/json.ts'
import { readField, SUBPROTOCOL, type Part } from './form.ts'
import { kindOf, LONG, ownedBy, type CredentialKind, type Owned } from './kind.ts'
import { markOf } from './mark.ts'

/** Keyed digest of a credential: equal for equal credentials within one process, worth nothing outside it. */
export type Fingerprint = string & { readonly fingerprint: unique symbol }

/** A verdict is of one token in one field on one route and says nothing about another. */
export type Key = string & { readonly verdictKey: unique symbol }

/** Claims of a JWT that nobody has verified: they may reject, never accept. */
export type UnverifiedClaims = Readonly<Record<string, unknown>>

/** What a credential is made of. */
export interface Made {
  /** The token itself; the values of all fields where they differ. */
  readonly secret: string
  readonly fingerprint: Fingerprint
  /** The fields that carry it: an upstream may take a token in one field and refuse it in another. */
  readonly carrier: string
  /** Whether there is one token, and not a pair of which nobody knows here which one counts. */
  readonly single: boolean
}

/** A credential. The token has one door, `reveal()`; everything else shows the fingerprint. */
export class Credential {
  readonly #secret: string
  #key: { readonly route: string, readonly key: Key } | undefined
  #kind: CredentialKind | undefined
  readonly fingerprint: Fingerprint
  /** The fields that carry it. */
  readonly carrier: string
  /** Present where the token is a JWT that decodes. */
  readonly claims: UnverifiedClaims | undefined
  /** Whether another request may ask about it: a client secret is good for its own session, and what stands in a handshake can not be sent elsewhere. */
  readonly askable: boolean

  constructor ({ secret, fingerprint, carrier, single }: Made) {
    this.#secret = secret
    this.fingerprint = fingerprint
    this.carrier = carrier
    this.claims = single ? unverifiedClaims(secret) : undefined
    this.askable = !secret.startsWith('ek_') && !carrier.split(',').includes(SUBPROTOCOL)
  }

  /** What verdicts about it on a route are kept under; the last one is remembered, since most tokens know one route. */
  keyOn (route: string): Key {
    if (this.#key?.route !== route) this.#key = { route, key: `${this.fingerprint} ${this.carrier} ${route}` as Key }
    return this.#key.key
  }

  /** What it is, by its form. */
  get kind (): CredentialKind { return this.#kind ??= kindOf({ secret: this.#secret, claims: this.claims, carrier: this.carrier }) }

  /** How its owner knows it: for our own paths only. */
  get owned (): Owned { return ownedBy({ kind: this.kind, claims: this.claims, reveal: () => this.#secret }) }

  /** The token's mark, where it is too long to be guessed; empty where it is not. */
  markBy (salt: string): string { return this.#secret.length < LONG || this.kind === 'pair' ? '' : markOf(salt, this.#secret) }

  /** The token itself, for validators only; it must not be kept. */
  reveal (): string { return this.#secret }

  /** 8 hex digits: the only trace of a token in logs, metrics and answers. */
  toString (): string { return this.fingerprint.slice(0, 8) }
  toJSON (): string { return this.toString() }
  [inspect.custom] (): string { return `Credential ${this.toString()}` }
}

/** What a credential is called in words for its user: what was sent, as the clients of that upstream know it. */
export function calledAs (credential: Credential, { dialect }: Pick<Route, 'dialect'>): string {
  const { carrier } = credential
  if (!carrier.includes('authorization')) return carrier // Claude Code has a hint of its own for "invalid x-api-key"
  return dialect === 'openai' && credential.claims === undefined && credential.reveal().startsWith('sk-') ? 'API key' : 'bearer token'
}

/**
 * What a request presents. `unjudged`: what is forwarded and never remembered, since its route needs no credential, its
 * scheme is another one than Bearer, or it is a CORS preflight. `holder` tells those of other schemes apart.
 */
export type Presented =
  | { readonly kind: 'credential', readonly credential: Credential }
  | { readonly kind: 'missing', readonly detail: string }
  | { readonly kind: 'malformed', readonly detail: string }
  | { readonly kind: 'conflicting', readonly detail: string }
  | { readonly kind: 'unjudged', readonly holder?: Fingerprint }

const jwtShape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/ // RFC 7519 section 3

/** Characters of a token that are decoded: those of issuers that put every group of a user into theirs have some 10,000. */
const READABLE = 16_384

/** Longer ones than are decoded are opaque too, and so are those whose claims nest deeper than any: what a token looks like is the upstream's business. */
function unverifiedClaims (secret: string): UnverifiedClaims | undefined {
  if (secret.length > READABLE || !jwtShape.test(secret)) return undefined
  const [, payload = ''] = secret.split('.')
  if (payload.length % 4 === 1) return undefined // no base64 has this length
  try {
    decodeProtectedHeader(secret)
  } catch {
    return undefined // three parts that do not decode are an opaque token, not a bad one
  }
  return jsonObject(Buffer.from(payload, 'base64url').toString())
}

/** Why a request without a credential has none. */
function whyMissing (raw: readonly string[], fields: readonly string[]): string {
  const other = credentialFields.find(field => !fields.includes(field) && valuesOf(raw, field).length > 0)
  return other === undefined ? 'the request has none' : `the request has one in ${other}, and this route takes it from ${fields.join(' or ')}`
}

/**
 * Makes the reader that turns raw headers into what they present.
 * @param key of the fingerprints; a random one for each process, so that they can not be looked up elsewhere. They prove
 * nothing to anybody, so a hash of key and value is enough; an HMAC costs a new connection 5 % more.
 */
export function createCredentialReader (key: string = randomBytes(32).toString('hex')) {
  const fingerprintOf = (values: string): Fingerprint => hash('sha256', key + values) as Fingerprint
  const valuesIn = (parts: readonly Part[]): string => parts.map(({ value }) => value).join('\n')
  /** One token, where all parts that can be one are the same; else the pair of them, which is judged as such. */
  const present = (parts: readonly Part[], carrier: string): Presented => {
    const tokens = new Set(parts.flatMap(({ token, fault }) => fault === undefined ? token as string : []))
    const [token = ''] = tokens
    const single = tokens.size === 1
    const values = valuesIn(parts)
    return { kind: 'credential', credential: new Credential({ secret: single ? token : values, fingerprint: fingerprintOf(values), carrier, single }) }
  }

  /**
   * Reads the fields that carry a route's credential, most preferred first.
   * @param raw header names and values in turn, as received: what is judged must be what is sent
   * @param fields lower-case; none where the route needs no credential
   */
  return function read (raw: readonly string[], fields: readonly string[]): Presented {
    if (fields.length === 0) return { kind: 'unjudged' }
    const parts: Part[] = []
    const carriers: string[] = []
    for (const field of fields) {
      const values = valuesOf(raw, field)
      if (values.length > 1 && field !== SUBPROTOCOL) return { kind: 'conflicting', detail: `the ${field} field is there ${values.length} times` }
      const part = readField(field, values)
      if (part === undefined) continue
      parts.push(part)
      carriers.push(field)
    }
    const [first] = parts
    if (first === undefined) return { kind: 'missing', detail: whyMissing(raw, fields) }
    if (parts.some(({ token }) => token === undefined)) return { kind: 'unjudged', holder: fingerprintOf(valuesIn(parts)) }
    const { fault } = first
    return fault !== undefined && parts.every(part => part.fault !== undefined) ? { kind: 'malformed', detail: fault } : present(parts, carriers.join())
  }
}

export type CredentialReader = ReturnType<typeof createCredentialReader>
