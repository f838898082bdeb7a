import { STATUS_CODES, type ServerResponse } from 'node:http'
import { SidecarError } from './errors.ts'

/** An answer in our own name, ready for a response object or a bare socket. */
export interface Answer {
  readonly status: number
  readonly headers: readonly [name: string, value: string][]
  readonly body: string
}

/** RFC 6750 section 3: nothing but the scheme where no credential was sent, else the reason. */
const challenge = ({ code, message }: SidecarError): string =>
  code === 'missing_token'
    ? 'Bearer'
    : `Bearer error="invalid_token", error_description="${message.replace(/[^\x20-\x7e]|["\\]/g, '')}"`

/** Foreign errors in our terms: what the framework blames on the request is the request's, all else is ours. */
export function asSidecarError (thrown: Error & { statusCode?: number }): SidecarError {
  if (thrown instanceof SidecarError) return thrown
  const { statusCode } = thrown
  return statusCode !== undefined && statusCode < 500
    ? new SidecarError('invalid_request', { detail: 'it cannot be routed as it stands', cause: thrown })
    : new SidecarError('internal_error', { cause: thrown })
}

/** Turns an error into its answer: the envelope that the OpenAI and Anthropic SDKs, pi-ai and Codex all read. */
export function answerTo (error: SidecarError, requestId: string): Answer {
  // All ASCII, so that its length is its size and Node writes it together with the head.
  const body = JSON.stringify({
    type: 'error',
    error: { type: error.type, code: error.code, message: error.message, param: null },
    request_id: requestId
  }).replace(/[^\x00-\x7f]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const headers: [string, string][] = [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ['Cache-Control', 'no-store'],
    ['x-request-id', requestId],
    ['request-id', requestId], // the same for the Anthropic SDK
    ['Proxy-Status', `codex-sidecar; error=${error.proxyStatus}; details="${error.code}"`]
  ]
  if (error.retryAfter !== undefined) headers.push(['Retry-After', String(error.retryAfter)])
  if (error.status === 401) headers.push(['WWW-Authenticate', challenge(error)])
  if (error.final) headers.push(['x-should-retry', 'false'])
  return { status: error.status, headers, body }
}

/** Writes an answer to a response whose head is not sent yet; the client's connection stays open. */
export function writeAnswer (response: ServerResponse, { status, headers, body }: Answer): void {
  const raw: string[] = []
  for (const [name, value] of headers) raw.push(name, value)
  response.writeHead(status, raw)
  response.end(response.req.method === 'HEAD' ? '' : body, 'latin1')
}

/** The bytes of an answer for a socket that has no response object; the connection ends after it. */
export function serializeAnswer ({ status, headers, body }: Answer): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${new Date().toUTCString()}\r\n${lines.join('')}Connection: close\r\n\r\n${body}`
}
