import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { valuesOf } from '../../wire/headers.ts'
import type { Source, Testimony } from '../verdict.ts'

/** Codes with which an upstream says for certain that the token is dead (contract.md section 5), and our words for it. */
const definitive: Readonly<Record<string, string>> = {
  token_expired: 'it has expired',
  token_invalidated: 'it was invalidated by signing in or out elsewhere',
  token_revoked: 'it was revoked',
  invalid_api_key: 'it knows no such API key'
}

/** A decompressed body may not be larger than this many bytes: it is only read for its code. */
const READABLE = 1 << 20

const decoders: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: body => gunzipSync(body, { maxOutputLength: READABLE }),
  deflate: body => inflateSync(body, { maxOutputLength: READABLE }),
  br: body => brotliDecompressSync(body, { maxOutputLength: READABLE })
}

/** The body's JSON object; undefined for anything else, an unknown coding included. */
function parse (headers: readonly string[], body: Buffer): Record<string, unknown> | undefined {
  try {
    const coding = valuesOf(headers, 'content-encoding').join(',').trim().toLowerCase()
    const plain = coding === '' || coding === 'identity' ? body : decoders[coding]?.(body)
    const value: unknown = JSON.parse(plain?.toString('utf8') ?? '')
    return record(value)
  } catch {
    return undefined
  }
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null ? value as Record<string, unknown> : undefined

/** The definitive reason that a 401's body gives, in our words, or undefined. */
function certainReason (headers: readonly string[], body: Buffer): string | undefined {
  const answer = parse(headers, body)
  const error = record(answer?.['error'])
  const message = error?.['message']
  // A live token without the rights, or on the wrong route, is no dead token.
  if (typeof message === 'string' && /missing scopes/i.test(message)) return undefined
  for (const code of [error?.['code'], record(answer?.['detail'])?.['code'], answer?.['code']]) {
    if (typeof code === 'string' && Object.hasOwn(definitive, code)) return definitive[code]
  }
  if (error?.['type'] === 'authentication_error') return 'it is not a valid credential'
  return message === 'Invalid bearer token' ? 'it is not a valid credential' : undefined
}

/**
 * What a final answer of the upstream says about the token it was asked with. Only a 401 with a certain reason says
 * that the token is dead; 403, 407, 429, 5xx and HTML never do.
 * @param body of a 401 as far as it is whole; undefined when it did not arrive whole
 */
export function testimonyOf (source: Source, status: number, headers: readonly string[], body: Buffer | undefined): Testimony {
  if (status === 101 || (status >= 200 && status < 300)) return { kind: 'accepted', source }
  if (status !== 401) return { kind: 'silent' }
  const detail = body === undefined ? undefined : certainReason(headers, body)
  return detail === undefined
    ? { kind: 'ambiguous' }
    : { kind: 'rejected', verdict: { state: 'inactive', reason: 'token_rejected', source, detail } }
}
