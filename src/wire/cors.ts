import type { IncomingMessage } from 'node:http'
import { valuesOf } from './headers.ts'

/** The CORS protocol (Fetch section 3.2), pure. */

/** Whether a browser asks if a page may send a request; it never sends a credential with the question. */
export const isPreflight = (method: string | undefined, raw: readonly string[]): boolean =>
  method === 'OPTIONS' && valuesOf(raw, 'origin').length > 0 && valuesOf(raw, 'access-control-request-method').length > 0

/** The fields that the request behind a preflight will have, lower-case: those that are not harmless in any request. */
export const announcedFields = (raw: readonly string[]): string[] =>
  valuesOf(raw, 'access-control-request-headers').flatMap(value => value.toLowerCase().split(/[\s,]+/))

/** What our own answers say besides their body. */
const exposed = 'x-request-id, request-id, Retry-After, x-should-retry, Proxy-Status, WWW-Authenticate'

/** An origin as browsers write it; `null` is one too. */
const serialized = /^[\x21-\x7e]{1,300}$/

/**
 * The fields that make an answer readable by the page that asked. Not where it asked with its user's cookies: what an
 * answer says must be owed to nothing but what the page itself has sent.
 * @param origin undefined where no page asked
 */
export const readableBy = (origin: string | undefined): readonly string[] =>
  origin === undefined || !serialized.test(origin)
    ? []
    : ['Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', exposed, 'Vary', 'Origin']

/**
 * An answer to a preflight with what Chromium wants of a server on loopback before a page from elsewhere may use it
 * (Private Network Access, section 3.1.2): whether it may is for the upstream to say, and it has said so.
 * @param headers of the upstream's answer to any request
 */
export function onPrivateNetwork ({ method, rawHeaders: raw }: IncomingMessage, status: number, headers: string[]): string[] {
  if (method !== 'OPTIONS' || valuesOf(raw, 'access-control-request-private-network').join() !== 'true') return headers
  const [origin] = valuesOf(raw, 'origin')
  const [allowed, ...more] = valuesOf(headers, 'access-control-allow-origin')
  const granted = status >= 200 && status < 300 && origin !== undefined && more.length === 0 && (allowed === '*' || allowed === origin)
  return granted && valuesOf(headers, 'access-control-allow-private-network').length === 0 ? [...headers, 'Access-Control-Allow-Private-Network', 'true'] : headers
}
