import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { createServer } from '../wire/node-http.ts'

/** What a server says of a request. */
const requests = ['request', 'checkContinue', 'checkExpectation']

/** All that a server tells its app of. */
const events = [...requests, 'connect', 'upgrade', 'clientError']

const serverOptions = {
  /** ms between two looks for requests whose heads take too long. */
  connectionsCheckingInterval: 1_000,
  requireHostHeader: false,
  /** No stream is set up where there is no body (Node 24.12). */
  optimizeEmptyRequests: true
}

/** What `localhost` stands for: clients try the one or the other first. */
const loopbacks = ['127.0.0.1', '::1']

/** Codes of a machine that does not have an address, for instance no IPv6. */
const lacking = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

/** A URL that reaches an address from this machine. */
function urlOf ({ address, family, port }: AddressInfo): string {
  const everywhere = address === '0.0.0.0' || address === '::'
  return `http://${everywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Has a server do as an app's own one would. */
function adopt (server: Server, { server: own }: FastifyInstance): void {
  const { maxConnections, maxHeadersCount, headersTimeout, requestTimeout, keepAliveTimeout, maxHeaderSize } = own as Server & { maxHeaderSize: number }
  Object.assign(server, { maxConnections, maxHeadersCount, headersTimeout, requestTimeout, keepAliveTimeout, maxHeaderSize })
}

/**
 * The listening sockets and the app behind them. Another app can take its place: it then gets every request, those on old
 * connections too, and the one before it is closed when nothing of it is left.
 */
export class Listener {
  readonly #servers: Server[] = []
  /** Those with something under way. */
  readonly #apps = new Set<FastifyInstance>()
  readonly #local: readonly string[]
  #current: FastifyInstance
  /** Whether the sockets that listen stay open without us. */
  #isBorrowed = false

  /**
   * @param app its own server never listens, but what is set there holds here
   * @param local addresses that `localhost` stands for; only the first one has to be there
   */
  constructor (app: FastifyInstance, local: readonly string[] = loopbacks) {
    this.#current = app
    this.#local = local
  }

  /** The one that takes the requests. */
  get app (): FastifyInstance { return this.#current }

  /**
   * Begins to listen; `close()` is needed where that fails too.
   * @param host a name that stands for several addresses is listened on at its first one, but `localhost` at both loopbacks
   * @param inherited file descriptors of sockets that listen already; then host and port are not used
   * @returns what it got
   */
  async listen (host: string, port: number, inherited: readonly number[] = []): Promise<{ url: string, port: number }> {
    await this.#take(this.#current)
    const [first = host, ...others] = host === 'localhost' ? this.#local : []
    this.#isBorrowed = inherited.length > 0
    const addresses = await Promise.all(inherited.map(fd => this.#open({ fd })))
    const address = addresses[0] ?? await this.#open({ host: first, port })
    if (addresses.length === 0) {
      for (const other of others) {
        await this.#open({ host: other, port: address.port }).catch((error: unknown) => {
          // A free port may be taken at the other address; clients are told the first one anyway.
          if (!lacking.has(String((error as NodeJS.ErrnoException).code)) && port !== 0) throw error
        })
      }
    }
    const url = this.#current.generation.legacy.listening = urlOf(address)
    return { url, port: address.port }
  }

  /** Puts another app in the place of the one that takes requests. Rejects, and changes nothing, where it can not start. */
  async replace (app: FastifyInstance): Promise<void> {
    const before = this.#current
    await this.#take(app)
    void before.generation.idle().then(() => before.close()).then(() => this.#apps.delete(before))
  }

  /** Drains all apps, then ends the connections. Where the sockets are inherited, the next process has them from the beginning on. */
  async close (): Promise<void> {
    if (this.#isBorrowed) await this.#leave()
    await Promise.all([...this.#apps].map(app => app.close()))
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
  }

  /** Takes no new connection, and one request more on those that are there: nobody is turned away whom the next process would serve. */
  async #leave (): Promise<void> {
    for (const server of this.#servers) {
      server.close() // those that are idle too
      for (const event of requests) server.prependListener(event, (_request: unknown, response: ServerResponse) => { response.shouldKeepAlive = false })
    }
    await Promise.all([...this.#apps].map(({ generation }) => generation.end()))
  }

  async #open (options: ListenOptions | { fd: number }): Promise<AddressInfo> {
    const server = createServer(serverOptions)
    for (const event of events) server.on(event, (...args: unknown[]) => this.#current.server.emit(event, ...args))
    adopt(server, this.#current)
    server.listen(options)
    await once(server, 'listening')
    this.#servers.push(server)
    return server.address() as AddressInfo
  }

  async #take (app: FastifyInstance): Promise<void> {
    await app.ready()
    this.#apps.add(app)
    this.#current = app
    for (const server of this.#servers) adopt(server, app)
  }
}
