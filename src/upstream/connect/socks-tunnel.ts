import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { SocksClient } from 'socks'
import { errors } from 'undici'
import type { ForwardProxy } from '../../config/network/proxy.ts'
import type { Endpoint } from './happy-eyeballs.ts'
import { ProxyError, type ProxyTrouble } from './proxy-error.ts'

/** What the library says of replies (RFC 1928 section 6), and what we make of it; its own errors hold the password. */
const troubles: readonly (readonly [says: RegExp, code: ProxyTrouble, message: string])[] = [
  [/Authentication failed|authentication type/, 'PROXY_AUTHENTICATION', 'the proxy does not take this user and password'],
  [/NotAllowed/, 'PROXY_REFUSED', 'the rules of the proxy do not allow it'],
  [/rejected connection/, 'PROXY_FAILED', 'the proxy could not connect'],
  [/Socket closed|ECONNRESET|EPIPE/, 'PROXY_UNREACHABLE', 'the proxy hung up within the SOCKS handshake']
]

function troubleOf ({ message }: Error): Error {
  if (message.includes('timed out')) return new errors.ConnectTimeoutError()
  const [, code, words] = troubles.find(([says]) => says.test(message)) ?? [message, 'PROXY_PROTOCOL', 'the proxy does not speak SOCKS5']
  return new ProxyError(code, words)
}

/**
 * Asks a SOCKS5 proxy for a connection (RFC 1928, RFC 1929).
 * @param socket the connection to it, which becomes the tunnel
 * @param timeout ms
 * @throws ProxyError; ConnectTimeoutError; the system's error where a name does not resolve that this machine is to resolve
 */
export async function openSocksTunnel (socket: Socket, proxy: ForwardProxy, { hostname, port }: Endpoint, timeout: number): Promise<void> {
  const { scheme, hostname: proxyHost, port: proxyPort } = proxy
  // IPv4 first: a proxy without IPv6 is more usual than one with nothing else.
  const host = scheme === 'socks5h' || isIP(hostname) !== 0 ? hostname : (await lookup(hostname, { order: 'ipv4first' })).address
  const credential = proxy.reveal()
  try {
    await SocksClient.createConnection({
      command: 'connect', destination: { host, port }, timeout, existing_socket: socket,
      proxy: { type: 5, host: proxyHost, port: proxyPort, ...credential === undefined ? undefined : { userId: credential.user, password: credential.password } }
    })
  } catch (error) {
    throw troubleOf(error as Error)
  }
}
