import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { nameOf } from '../../config/routes.ts'
import type { Credential, Key } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import type { VerdictCache } from '../cache/cache.ts'
import type { Ticket } from '../cache/ticket.ts'
import type { Verdict, VerdictObserver } from '../verdict.ts'
import { Fruit } from './fruit.ts'
import { probe } from './probe.ts'

/** ms between two questions about one token, at least and at most. */
const GAP = { from: 15_000, to: 18_000 }

export interface ProberOptions {
  config: Config
  upstreams: readonly Upstream[]
  cache: VerdictCache
  clock: Clock
  observer: VerdictObserver
}

/** When the upstream is asked about a token: once for all who wait, seldom, and only in a lane of its own. */
export class Prober {
  readonly #options: ProberOptions
  readonly #upstreams: ReadonlyMap<string, Upstream>
  readonly #flights = new Map<Key, Promise<Verdict | undefined>>()
  /** When a token may be asked about again, monotonic ms. */
  readonly #next: LRUCache<Key, number>
  readonly #fruit = new Fruit()
  #waiting = 0

  constructor (options: ProberOptions) {
    this.#options = options
    this.#upstreams = new Map(options.upstreams.map(upstream => [nameOf(upstream.route), upstream]))
    this.#next = new LRUCache({ max: options.config.limits.verdicts })
  }

  /**
   * Asks about a token that nothing is known of.
   * @returns the verdict to wait for, or undefined where the request goes on at once
   */
  first (credential: Credential, presentation: Presentation, of: Ticket): Promise<Verdict | undefined> | undefined {
    const { limits, probe: mode } = this.#options.config
    const flight = this.#flight(credential, presentation, of)
    if (flight === undefined || (presentation.route.probe ?? mode) === 'background' || this.#waiting >= limits.waiting) return undefined
    this.#waiting++
    return flight.finally(() => { this.#waiting-- })
  }

  /** Asks beside a request that goes on. */
  beside (credential: Credential, presentation: Presentation, of: Ticket): void {
    void this.#flight(credential, presentation, of)
  }

  /** The question under way about a token, or a new one where its route has a probe and no limit forbids it. */
  #flight (credential: Credential, presentation: Presentation, of: Ticket): Promise<Verdict | undefined> | undefined {
    const { cache, clock, observer, config } = this.#options
    const { route } = presentation
    const upstream = this.#upstreams.get(nameOf(route))
    if (upstream === undefined || route.probePath === undefined || (route.probe ?? config.probe) === 'off') return undefined
    if (!credential.askable) return undefined
    const token = credential.reveal()
    if (route.unprobed.some(beginning => token.startsWith(beginning))) return undefined
    // Its own fields are the client's, so its shape is; its path is another.
    const ticket = cache.ticket({ ...of, like: { shape: of.like.shape, handshake: false, request: `GET ${route.probePath}` } })
    const running = this.#flights.get(ticket.key)
    if (running !== undefined) return running
    const now = clock.monotonic()
    if (!upstream.probe.free || now < (this.#next.get(ticket.key) ?? 0) || !this.#fruit.expected(route.prefix, now)) {
      observer.probed(ticket, 'skipped')
      return undefined
    }
    this.#next.set(ticket.key, now + GAP.from + (GAP.to - GAP.from) * Math.random())
    const flight = this.#ask(upstream, route.probePath, presentation, ticket).finally(() => { this.#flights.delete(ticket.key) })
    this.#flights.set(ticket.key, flight)
    return flight
  }

  /** Only what is certain is learned: a probe's 401 without a reason is not the second one of a request's. */
  async #ask (upstream: Upstream, path: string, presentation: Presentation, ticket: Ticket): Promise<Verdict | undefined> {
    const { cache, observer, config } = this.#options
    const { testimony, outcome } = await probe(upstream, path, presentation, config.times.probe)
    observer.probed(ticket, outcome)
    this.#fruit.came(upstream.route.prefix, outcome, this.#options.clock.monotonic())
    const certain = testimony.kind === 'accepted' || (testimony.kind === 'rejected' && testimony.reach === 'token')
    return certain ? cache.learn(ticket, testimony) : undefined
  }
}
