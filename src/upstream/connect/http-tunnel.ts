import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ForwardProxy } from '../../config/network/proxy.ts'
import { request } from '../../wire/node-http.ts'
import { ProxyError } from './proxy-error.ts'

/** A Proxy-Authorization field for a proxy that has a user (RFC 7617), as the end of a raw header list. */
export function proxyAuthorization (proxy: ForwardProxy): string[] {
  const credential = proxy.reveal()
  return credential === undefined ? [] : ['Proxy-Authorization', `Basic ${Buffer.from(`${credential.user}:${credential.password}`).toString('base64')}`]
}

/** What the proxy's refusal says. */
function refusal (status: number): ProxyError {
  const code = status === 407 ? 'PROXY_AUTHENTICATION' : status >= 500 ? 'PROXY_FAILED' : 'PROXY_REFUSED'
  return new ProxyError(code, `the proxy answered ${status} to CONNECT`)
}

/**
 * Asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
 * @param socket the connection to it, which becomes the tunnel
 * @param authority of the upstream, with its port
 * @throws ProxyError
 */
export async function openHttpTunnel (socket: Socket, proxy: ForwardProxy, authority: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const asked = request({
      method: 'CONNECT', path: authority, createConnection: () => socket,
      headers: ['Host', authority, ...proxyAuthorization(proxy)] as unknown as Record<string, string>, setHost: false
    })
    // Nothing is behind its answer: neither TLS nor HTTP lets the upstream speak first.
    asked.on('connect', ({ statusCode }: IncomingMessage) => {
      if (Math.trunc(Number(statusCode) / 100) === 2) resolve()
      else reject(refusal(Number(statusCode)))
    })
    asked.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code?.startsWith('HPE_') === true ? new ProxyError('PROXY_PROTOCOL', 'the proxy does not speak HTTP') : new ProxyError('PROXY_UNREACHABLE', 'the proxy hung up within CONNECT'))
    })
    asked.end()
  })
}
