import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createServer } from '../wire/node-http.ts'

/** All that a server tells its app of. */
const events = ['request', 'checkContinue', 'checkExpectation', 'connect', 'upgrade', 'clientError']

const serverOptions = {
  /** ms between two looks for requests whose heads take too long. */
  connectionsCheckingInterval: 1_000,
  requireHostHeader: false,
  /** No stream is set up where there is no body (Node 24.12). */
  optimizeEmptyRequests: true
}

/** A URL that reaches an address from this machine. */
function urlOf ({ address, family, port }: AddressInfo): string {
  const everywhere = address === '0.0.0.0' || address === '::'
  return `http://${everywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/**
 * The listening socket and the app behind it. Another app can take its place: it then gets every request, those on old
 * connections too, and the one before it is closed when nothing of it is left.
 */
export class Listener {
  readonly #server: Server
  /** Those with something under way. */
  readonly #apps = new Set<FastifyInstance>()
  #current: FastifyInstance

  /** @param app its own server never listens, but what is set there holds here */
  constructor (app: FastifyInstance) {
    this.#current = app
    this.#server = createServer(serverOptions)
    for (const event of events) this.#server.on(event, (...args: unknown[]) => this.#current.server.emit(event, ...args))
  }

  /** The one that takes the requests. */
  get app (): FastifyInstance { return this.#current }

  /**
   * Begins to listen; `close()` is needed where that fails too.
   * @param host a name that stands for several addresses is listened on at its first one
   * @returns what it got
   */
  async listen (host: string, port: number): Promise<{ url: string, port: number }> {
    await this.#take(this.#current)
    this.#server.listen({ host: host === 'localhost' ? '127.0.0.1' : host, port })
    await once(this.#server, 'listening')
    const address = this.#server.address() as AddressInfo
    const url = this.#current.generation.legacy.listening = urlOf(address)
    return { url, port: address.port }
  }

  /** Puts another app in the place of the one that takes requests. Rejects, and changes nothing, where it can not start. */
  async replace (app: FastifyInstance): Promise<void> {
    const before = this.#current
    await this.#take(app)
    void before.generation.idle().then(() => before.close()).then(() => this.#apps.delete(before))
  }

  /** Drains all apps, then ends the connections. */
  async close (): Promise<void> {
    await Promise.all([...this.#apps].map(app => app.close()))
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #take (app: FastifyInstance): Promise<void> {
    await app.ready()
    this.#apps.add(app)
    this.#current = app
    const { maxConnections, maxHeadersCount, headersTimeout, requestTimeout, keepAliveTimeout, maxHeaderSize } = app.server as Server & { maxHeaderSize: number }
    Object.assign(this.#server, { maxConnections, maxHeadersCount, headersTimeout, requestTimeout, keepAliveTimeout, maxHeaderSize })
  }
}
