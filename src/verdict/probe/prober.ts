import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { nameOf } from '../../config/routes.ts'
import type { Credential, Key } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import type { VerdictCache } from '../cache/cache.ts'
import type { Ticket } from '../cache/ticket.ts'
import { ofThis } from '../testimony/about.ts'
import { withoutToken } from '../testimony/context.ts'
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

/** What is asked about. */
interface Question { readonly credential: Credential, readonly presentation: Presentation }

/** When the upstream is asked about a token: once for all who wait, seldom, and only in a lane of its own. */
export class Prober {
  readonly #options: ProberOptions
  readonly #upstreams: ReadonlyMap<string, Upstream>
  readonly #flights = new Map<Key, Promise<Verdict | undefined>>()
  /** When a token may be asked about again, monotonic ms, and whether one question more is left until then. */
  readonly #next: LRUCache<Key, { readonly at: number, readonly spare: boolean }>
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

  /**
   * Asks beside a request that goes on.
   * @param again whether to ask once more though it was asked lately: a 401 has come that did not say why
   */
  beside (credential: Credential, presentation: Presentation, of: Ticket, again = false): void {
    void this.#flight(credential, presentation, of, again)
  }

  /** The question under way about a token, or a new one where its route has a probe and no limit forbids it. */
  #flight (credential: Credential, presentation: Presentation, of: Ticket, again = false): Promise<Verdict | undefined> | undefined {
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
    const { at = 0, spare = false } = this.#next.get(ticket.key) ?? {}
    const early = now < at
    if (!upstream.probe.free(cache.laneOf(ticket) === 'verified') || (early && !(again && spare)) || !this.#fruit.expected(route.prefix, now)) {
      observer.probed(ticket, 'skipped')
      return undefined
    }
    this.#next.set(ticket.key, { at: now + GAP.from + (GAP.to - GAP.from) * Math.random(), spare: !early })
    const flight = this.#ask(upstream, route.probePath, { credential, presentation }, ticket).finally(() => { this.#flights.delete(ticket.key) })
    this.#flights.set(ticket.key, flight)
    return flight
  }

  /** What says nothing is not learned: it is no answer to whoever asks about a rejection, since a request goes on and asks itself. */
  async #ask (upstream: Upstream, path: string, { credential, presentation }: Question, ticket: Ticket): Promise<Verdict | undefined> {
    const { cache, observer, config } = this.#options
    const { testimony: said, outcome } = await probe(upstream, path, presentation, config.times.probe)
    const testimony = withoutToken(ofThis(said, credential), credential)
    observer.probed(ticket, outcome)
    this.#fruit.came(upstream.route.prefix, outcome, this.#options.clock.monotonic())
    return testimony.kind === 'silent' ? undefined : cache.learn(ticket, testimony)
  }
}
