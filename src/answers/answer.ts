import type { ServerResponse } from 'node:http'
import { readableBy } from '../wire/cors.ts'
import { pairsOf } from '../wire/headers.ts'
import { STATUS_CODES } from '../wire/node-http.ts'
import { SidecarError, type Wording } from './errors.ts'

/** An answer in our own name, ready for a response object or a bare socket. */
export interface Answer {
  readonly status: number
  /** Raw header list: names and values in turn. */
  readonly headers: readonly string[]
  readonly body: string
}

/** What a quoted string can not hold as it is (RFC 9110 section 5.6.4). */
const unquotable = /[^\x20-\x7e]|["\\]/g
const foreign = /[^\x00-\x7f]/g

/** JSON that is all ASCII, so that its length is its size and Node writes it together with the head. */
const asciiJson = (text: string): string =>
  JSON.stringify(text).replace(foreign, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** RFC 6750 section 3: nothing but the scheme where no credential was sent, else the reason. */
const challenge = ({ code, message }: SidecarError): string =>
  code === 'missing_token'
    ? 'Bearer'
    : `Bearer error="invalid_token", error_description="${message.replace(unquotable, '')}"`

/** Foreign errors in our terms: what the framework blames on the request is the request's, all else is ours. */
export function asSidecarError (thrown: Error & { statusCode?: number }): SidecarError {
  if (thrown instanceof SidecarError) return thrown
  const { statusCode } = thrown
  return statusCode !== undefined && statusCode < 500
    ? new SidecarError('invalid_request', { detail: 'it cannot be routed as it stands', cause: thrown })
    : new SidecarError('internal_error', { cause: thrown })
}

/** The envelope that the OpenAI and Anthropic SDKs, pi-ai and Codex all read. */
function wordingOf (error: SidecarError): Wording {
  const fields = ['Proxy-Status', `codex-sidecar; error=${error.proxyStatus}; details="${error.code}"`]
  if (error.retryAfter !== undefined) fields.push('Retry-After', String(error.retryAfter))
  if (error.status === 401) fields.push('WWW-Authenticate', challenge(error))
  if (error.final) fields.push('x-should-retry', 'false')
  fields.push(...error.fields)
  return {
    body: `{"type":"error","error":{"type":"${error.type}","code":"${error.code}","message":${asciiJson(error.message)},"param":null},"request_id":"`,
    fields
  }
}

/**
 * Turns an error into its answer.
 * @param origin of the web page that may read it, where one asked
 */
export function answerTo (error: SidecarError, requestId: string, origin?: string): Answer {
  const { body: begin, fields } = error.wording ??= wordingOf(error)
  const body = `${begin}${requestId}"}`
  const headers = [
    'Content-Type', 'application/json',
    'Content-Length', String(body.length),
    'Cache-Control', 'no-store',
    'x-request-id', requestId,
    'request-id', requestId, // the same for the Anthropic SDK
    ...fields,
    ...readableBy(origin)
  ]
  return { status: error.status, headers, body }
}

/** Writes an answer to a response whose head is not sent yet; the client's connection stays open. */
export function writeAnswer (response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers as string[])
  response.end(response.req.method === 'HEAD' ? '' : body, 'latin1')
}

/** The bytes of an answer for a socket that has no response object; the connection ends after it. */
export function serializeAnswer ({ status, headers, body }: Answer): string {
  const lines = pairsOf(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${new Date().toUTCString()}\r\n${lines.join('')}Connection: close\r\n\r\n${body}`
}
