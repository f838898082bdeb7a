/** Every answer in our own name: its stable code, status, RFC 9209 error type and words. */

interface Kind {
  /** HTTP status of the answer. */
  readonly status: number
  /** `error.type` as the OpenAI and Anthropic SDKs know it. */
  readonly type: string
  /** Error type of RFC 9209 section 2.3 for the Proxy-Status field. */
  readonly proxy: string
  /** What happened, whose fault it is, what to do next: the words before and after the detail, for which `%` stands; `@` for what the credential is called. */
  readonly words: readonly string[]
  /** The same where the request is not to be repeated. */
  readonly final?: readonly string[]
}

const kind = (status: number, type: string, proxy: string, message: string): Kind => ({ status, type, proxy, words: message.split('%') })
const token = (message: string): Kind => kind(401, 'authentication_error', 'http_request_denied', message)
const request = (status: number, message: string): Kind =>
  kind(status, 'invalid_request_error', 'http_request_error', message)
const upstream = (status: number, proxy: string, message: string): Kind => kind(status, 'api_error', proxy, message)

// Clients that see only these words, not the status, try again what they know for a lost connection: OpenClaw 2026.4.9 at
// "connection error", Continue at "socket hang up", "connection reset" and "overloaded" (test/e2e/recovery).
// No message of a 401 may hold the words that make pi-ai retry it (contract.md section 5). None may hold "token:" or its
// like: OpenClaw takes what follows for a secret and shows "<redacted>" instead of the reason.
const kinds = {
  missing_token: token('Missing bearer token - %. Sign in or set the API key in the client, then retry.'),
  malformed_token: token('@ - %. Correct the key or sign in again, then retry; nothing needs a restart.'),
  token_expired: token('@ - it expired at %. Sign in again and retry; nothing needs a restart.'),
  token_not_yet_valid: token('@ - it is not valid before %. Check the clock of this machine, then retry.'),
  wrong_route: token('@ - %. Change the base URL or the credential in the client, then retry.'),
  invalid_signature: token('@ - its signature does not match the keys of its issuer. Sign in again and retry.'),
  token_rejected: token('@ - the upstream rejected it (%). Sign in again or replace the key, then retry; nothing needs a restart.'),

  invalid_request: request(400, 'Invalid request: %. Correct the request; the upstream has not seen it.'),
  request_timeout: request(408, 'The request did not arrive in time: %. Send it again.'),
  upgrade_required: request(426, 'The upstream takes no WebSockets on this path: it answered 426 before. Send the request over HTTP.'),
  expectation_failed: request(417, 'The expectation % is not supported; only 100-continue is. Send the request without it.'),
  headers_too_large: request(431, 'The request headers are larger than %. Send fewer or shorter ones, or raise limits.headerBytes.'),
  unsupported_transfer_coding: request(501, 'The transfer coding % is not supported; only chunked is. The upstream has not seen the request.'),
  forbidden_host: kind(403, 'permission_error', 'http_request_denied', 'This path answers only on loopback names and on those in allowedHosts, not on %. Use 127.0.0.1 or add the name.'),
  forbidden_origin: kind(403, 'permission_error', 'http_request_denied', 'This path does not answer web pages of another origin. Open it directly.'),
  no_route: kind(404, 'not_found_error', 'destination_not_found', 'No route for this path. Routes here: %. Correct the base URL in the client.'),
  loop_detected: kind(508, 'invalid_request_error', 'proxy_loop_detected', 'This request has been here before: the upstream of this route leads back to codex-sidecar. Correct the upstream in its configuration.'),
  internal_error: kind(500, 'api_error', 'proxy_internal_error', 'codex-sidecar failed on this request; neither you nor the upstream did. Retry, and report it with the request id.'),

  upstream_unreachable: upstream(502, 'destination_unavailable', 'Upstream connection error (socket hang up): the upstream could not be reached, %. Your credential was not judged. Check the network, then retry.'),
  upstream_tls: upstream(502, 'tls_certificate_error', 'No secure connection to the upstream: % (nothing was sent). Where the network has a login page, log in there; where a proxy of it opens TLS, set NODE_EXTRA_CA_CERTS to its CA; then retry.'),
  upstream_reset: upstream(502, 'connection_terminated', 'Upstream connection error (connection reset): the upstream closed its connection %. Your own connection is unharmed; retry.'),
  upstream_protocol: upstream(502, 'http_protocol_error', 'The upstream sent something that is not valid HTTP: %. Retry; if it persists, the upstream is at fault.'),
  upstream_incomplete: upstream(502, 'http_response_incomplete', 'The upstream refused with status % and its explanation did not arrive whole. Your own connection is unharmed.'),
  lane_full: upstream(503, 'connection_limit_reached', 'This route is overloaded: all % places for this kind of request are taken. Retry in a second.'),
  draining: upstream(503, 'destination_unavailable', 'codex-sidecar is shutting down. Retry in a second.'),
  upstream_timeout: {
    ...upstream(504, 'http_response_timeout', 'Upstream connection error (connection timeout, socket hang up): %. Your credential was not judged; retry.'),
    // Without the words for a lost connection: what is repeated for them would be paid for again.
    final: 'The upstream has the whole request and did not answer in time: %. It may still be at work on it, so that a repetition may be paid for twice. Where it needs longer, raise times.headers.'.split('%')
  }
} as const satisfies Record<string, Kind>

/** How a message about a credential begins; Claude Code looks for its upstream's own "invalid x-api-key", in lower case. */
const invalid = (named: string): string => `${/^[a-z-]+$/.test(named) ? 'invalid' : 'Invalid'} ${named}`

/** A code's words, `detail` in their place. `named`: what the credential is called that they are about; `final`: whether they are not to invite a repetition. */
export function describe (code: Code, detail: string, named = 'bearer token', final = false): string {
  const { words, final: last = words }: Kind = kinds[code]
  return (final ? last : words).join(detail).replace(/^@/, invalid(named))
}

/** A code's words up to what to do, and other advice in its place. */
const advised = (code: Code, detail: string, named: string, advice: string): string => {
  const words: readonly string[] = kinds[code].words
  return [...words.slice(0, -1), String(words.at(-1)).replace(/\. .*$/s, `. ${advice}`)].join(detail).replace(/^@/, invalid(named))
}

/** The closed set of codes in our answers. */
export type Code = keyof typeof kinds

export interface SidecarErrorOptions {
  /** What fills the `%` of the code's message. Never a secret, never an internal address. */
  detail?: string
  /** What the credential is called that it is about. */
  named?: string
  /** Raw list of header fields that go with the answer. */
  fields?: readonly string[]
  /** Seconds for Retry-After. */
  retryAfter?: number
  /** Status to answer with instead of the code's own: that of an upstream answer we could not relay whole. */
  status?: number
  /** Whether the client is not to repeat the request, where that is not plain from the code. */
  final?: boolean
  /** What to do, where more is known than the code's own words say. */
  advice?: string
  /** For the log only. */
  cause?: unknown
}

/** What all answers to one error have in common: their body up to the request's id, and those fields that are the error's own. */
export interface Wording { readonly body: string, readonly fields: readonly string[] }

/** The only error that becomes an answer; anything else is an `internal_error`. */
export class SidecarError extends Error {
  override readonly name = 'SidecarError'
  readonly code: Code
  /** What filled the words of the code. */
  readonly detail: string
  readonly status: number
  readonly type: string
  readonly proxyStatus: string
  /** What the credential is called that it is about. */
  readonly named: string
  /** Raw list of header fields of its own. */
  readonly fields: readonly string[]
  /** Seconds for Retry-After; 0 on refusals that are final, since Codex repeats even those and waits longer without it. */
  readonly retryAfter: number | undefined
  /** Whether the same request can only get the same answer, or would be paid for twice: the SDKs are told not to repeat it. */
  readonly final: boolean
  /** Kept by the error handler, since a refusal is used for many requests. */
  wording: Wording | undefined = undefined

  constructor (code: Code, { detail = '', named = 'bearer token', fields = [], retryAfter, status, final, advice, cause }: SidecarErrorOptions = {}) {
    const { status: own, type, proxy } = kinds[code]
    // It says where the client stands, not where the code does; a stack is most of what a refusal would cost.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(advice === undefined ? describe(code, detail, named, final) : advised(code, detail, named, advice), cause === undefined ? undefined : { cause })
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.detail = detail
    this.named = named
    this.fields = fields
    this.status = status ?? own
    this.type = status === 401 ? 'authentication_error' : type
    this.proxyStatus = status === undefined ? proxy : `${proxy}; received-status=${status}`
    const refusal = status === undefined && own < 500 && own !== 408
    this.final = final ?? refusal
    this.retryAfter = retryAfter ?? (refusal ? 0 : undefined)
  }
}

/** Each code with its status, for the table in config/README.md and its test. */
export const codes: readonly { code: Code, status: number }[] =
  (Object.keys(kinds) as Code[]).map(code => ({ code, status: kinds[code].status }))
