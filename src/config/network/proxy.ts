/** How a proxy is spoken to; with socks5h it resolves names, with socks5 this machine does, as in curl. */
export type ProxyScheme = 'http' | 'https' | 'socks5' | 'socks5h'

/** Ports where none is given. */
const ports: Readonly<Record<ProxyScheme, number>> = { http: 80, https: 443, socks5: 1080, socks5h: 1080 }

/** What a proxy may be, in words. */
export const proxyWords = 'http, https, socks5 or socks5h with a host and perhaps user, password and port'

/** Says "no proxy" where one is asked for. */
export const isNone = (text: string): boolean => /^(?:none|direct)$/i.test(text)

const isScheme = (text: string): text is ProxyScheme => Object.hasOwn(ports, text)

/** A part of a URL as it was before it was percent-encoded, if it was. */
function decoded (part: string): string {
  try { return decodeURIComponent(part) } catch { return part }
}

/** A proxy between us and an upstream. User and password are in no text that is made of it. */
export class ForwardProxy {
  /** What names it: a variable, or an option. */
  readonly source: string
  readonly scheme: ProxyScheme
  /** An IPv6 address is without its brackets. */
  readonly hostname: string
  readonly port: number
  readonly #user: string
  readonly #password: string

  constructor (source: string, scheme: ProxyScheme, { hostname, port, username, password }: URL) {
    this.source = source
    this.scheme = scheme
    this.hostname = hostname.replace(/^\[|\]$/g, '')
    this.port = port === '' ? ports[scheme] : Number(port)
    this.#user = decoded(username)
    this.#password = decoded(password)
  }

  /** Where it is, for people and for the Host field. */
  get host (): string { return `${this.hostname.includes(':') ? `[${this.hostname}]` : this.hostname}:${this.port}` }

  /** Whether its protocol has room for user and password (RFC 1929 section 2: a byte for the length of each). */
  get isTold (): boolean { return this.scheme.startsWith('http') || [this.#user, this.#password].every(text => Buffer.byteLength(text) < 256) }

  /** For the handshake with it only; undefined where it has none. */
  reveal (): { user: string, password: string } | undefined {
    return this.#user === '' && this.#password === '' ? undefined : { user: this.#user, password: this.#password }
  }
}

/**
 * Reads what a variable or an option says of a proxy: a URL, or host and port, which mean http (curl's `--proxy`).
 * @param source what names it
 * @returns undefined where that is none that can be used
 */
export function readProxy (text: string, source: string): ForwardProxy | undefined {
  try {
    const url = new URL(text.includes('://') ? text : `http://${text}`)
    const scheme = url.protocol.slice(0, -1)
    const proxy = isScheme(scheme) && url.hostname !== '' ? new ForwardProxy(source, scheme, url) : undefined
    return proxy?.isTold === true ? proxy : undefined
  } catch {
    return undefined
  }
}
