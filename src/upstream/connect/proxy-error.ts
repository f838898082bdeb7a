/** What can go wrong at a proxy on the way; the words for it are in answers/failure. */
export type ProxyTrouble = 'PROXY_UNREACHABLE' | 'PROXY_TLS' | 'PROXY_AUTHENTICATION' | 'PROXY_REFUSED' | 'PROXY_FAILED' | 'PROXY_PROTOCOL'

/** The failure of a proxy between us and an upstream. It holds nothing that a proxy was told, as the errors of libraries do. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  readonly code: ProxyTrouble

  constructor (code: ProxyTrouble, message: string) {
    super(message)
    this.code = code
  }
}
