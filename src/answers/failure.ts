import { SidecarError } from './errors.ts'

/** Codes of the system and of undici for what an upstream does, each with how we say it (no address, no host). */
const unreachable = new Map(Object.entries({
  ECONNREFUSED: 'it refused the connection',
  TLS_RESET: 'it hung up during the TLS handshake',
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve at the moment',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'the network is unreachable',
  EINVAL: 'there is no route to it', // as Linux has it for routes that are black holes
  EACCES: 'the rules of this machine do not allow it',
  EPERM: 'the rules of this machine do not allow it',
  EADDRNOTAVAIL: 'this machine has no free port left',
  EMFILE: 'this machine has no free file descriptor left',
  PROXY_UNREACHABLE: 'the proxy on the way can not be reached, or hung up',
  PROXY_TLS: 'there is no secure connection to the proxy on the way',
  PROXY_AUTHENTICATION: 'the proxy on the way wants another user or password',
  PROXY_REFUSED: 'the proxy on the way does not allow it',
  PROXY_FAILED: 'the proxy on the way could not connect to it',
  PROXY_PROTOCOL: 'the proxy on the way speaks another protocol than its URL says'
}))

const timeouts = new Map(Object.entries({
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time allowed',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'no response headers within the time allowed',
  UND_ERR_BODY_TIMEOUT: 'its answer fell silent'
}))

const protocol = new Map(Object.entries({
  UND_ERR_HEADERS_OVERFLOW: 'its headers are too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'its body does not have the length it declared'
}))

const tlsCode = /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO$)/

/** Says a TLS failure without the certificate's names, which can be internal ones. */
const tlsDetails: readonly (readonly [code: RegExp, detail: string])[] = [
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name'],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired'],
  [/^(?:UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|CERT_SIGNATURE)/, 'its certificate is signed by nobody this machine trusts'],
  [/^ERR_SSL_(?:WRONG_VERSION|PACKET_LENGTH)/, 'it speaks no TLS'],
  [/^/, 'the handshake failed']
]

const tlsDetail = (code: string): string => `${(tlsDetails.find(([known]) => known.test(code)) as (typeof tlsDetails)[number])[1]} (${code})`

/**
 * What a failed upstream exchange is called in our own name.
 * @param thrown what undici or the system reported; kept as the cause, for the log only
 * @param taken whether the upstream has the whole request: after a time-out it may still work on it, and each repetition
 * is paid for. One that never got there, or not whole, can be repeated.
 */
export function explain (thrown: Error, taken = false): SidecarError {
  const code = (thrown as NodeJS.ErrnoException).code ?? ''
  const cause = thrown
  for (const [kind, details] of [['upstream_unreachable', unreachable], ['upstream_timeout', timeouts], ['upstream_protocol', protocol]] as const) {
    const detail = details.get(code)
    if (detail !== undefined) return new SidecarError(kind, { detail, cause, ...(taken && kind === 'upstream_timeout' ? { final: true } : undefined) })
  }
  if (tlsCode.test(code)) return new SidecarError('upstream_tls', { detail: tlsDetail(code), cause })
  if (thrown.name === 'HTTPParserError' || /^bad (?:response|upgrade)$/.test(thrown.message)) {
    return new SidecarError('upstream_protocol', { detail: 'it cannot be parsed', cause })
  }
  if (code === 'UND_ERR_INVALID_ARG') return new SidecarError('invalid_request', { detail: 'it cannot be sent on as HTTP/1.1', cause })
  return new SidecarError('upstream_reset', { detail: 'before its answer was whole', cause })
}
