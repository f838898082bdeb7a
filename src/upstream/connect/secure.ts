import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { buildConnector } from 'undici'
import type { Identity } from '../../config/network/certificates.ts'
import type { Endpoint } from './happy-eyeballs.ts'

/** Puts TLS on a connection. */
export interface Secure {
  (socket: Socket, to: Endpoint, servername?: string): Promise<Socket>
  /** Reads the CAs, which takes 10 ms for Node's 150, if that is not done. */
  readonly prepare: () => void
}

/** A reset where TLS was to begin, told from one of a connection that was there. */
function ofHandshake (error: NodeJS.ErrnoException): Error {
  return error.code === 'ECONNRESET' ? Object.assign(new Error('hung up within the TLS handshake', { cause: error }), { code: 'TLS_RESET' }) : error
}

/**
 * TLS by undici's own connector, for what that knows: sessions that are kept, names, ALPN. Nothing here turns
 * `rejectUnauthorized` off: the other side is always verified.
 * @param ca CAs that are trusted, PEM; Node's own where undefined
 * @param identity what we show of ourselves when asked to
 * @param keepAliveInitialDelay ms
 */
export function createSecure (ca: readonly string[] | undefined, identity: Identity | undefined, keepAliveInitialDelay: number): Secure {
  let connector: buildConnector.connector | undefined
  const prepare = (): buildConnector.connector => {
    if (connector !== undefined) return connector
    const given = { ...ca === undefined ? undefined : { ca: [...ca] }, ...identity?.reveal() }
    return connector = buildConnector({ timeout: 0, keepAliveInitialDelay, ...Object.keys(given).length === 0 ? undefined : { secureContext: createSecureContext(given) } })
  }
  const secure = async (socket: Socket, { hostname, port }: Endpoint, servername?: string): Promise<Socket> => await new Promise((resolve, reject) => {
    const target = { hostname, host: hostname, protocol: 'https:', port: String(port), httpSocket: socket, ...servername === undefined ? undefined : { servername } }
    prepare()(target, (...[error, secured]) => {
      if (error === null) resolve(secured)
      else reject(ofHandshake(error))
    })
  })
  return Object.assign(secure, { prepare })
}
