import { LRUCache } from 'lru-cache'
import type { Code, SidecarError } from '../answers/errors.ts'
import type { Clock } from '../clock.ts'
import type { Fingerprint } from '../credential/credential.ts'
import { shownPath, withoutSecrets } from '../wire/secrets.ts'
import type { RequestRecord } from './record.ts'

/** Characters of a path that are kept: it may be as long as all headers. */
const PATH = 200
/** Clients of equal refusals that are kept. */
const CLIENTS = 10

/** What is quoted there is the client's, and may be anything; JSON leaves what some terminals obey. */
const shown = (detail: string): string => detail.replace(/\p{C}+/gu, ' ').replace(/"[^"]*"/g, withoutSecrets)

/** What equal refusals are about. */
export type About = 'credential' | 'network' | 'request'

/** The upstream's own 401 that blames something else than the token, or nothing; one that says that the token is dead is what our own refusals repeat. */
export const RELAYED = 'upstream_401'

/** Equal answers in our own name, or refusals of the upstream. */
export interface Refusal {
  readonly about: About
  /** How many. */
  count: number
  /** Of the first and of the last one, ms since 1970. */
  readonly firstAt: number
  at: number
  readonly status: number
  readonly code: Code | typeof RELAYED
  /** What fills the code's words, of the last one; so do the rest. */
  detail: string
  requestId: string
  method?: string
  /** Without its query, and without what looks like a secret. */
  path?: string
  /** Name of its route. */
  readonly route?: string | undefined
  readonly fingerprint?: Fingerprint | undefined
  /** Set where web pages of another origin asked. */
  readonly fromPage?: true
  /** Those that got it, the last one first. */
  readonly clients: string[]
}

/** What a refusal blames. */
const aboutOf = (code: Code, status: number): About =>
  code.startsWith('upstream_') && code !== 'upstream_incomplete' ? 'network' : status === 401 ? 'credential' : 'request'

/** The code and the words of a request that was refused; undefined where it was not. */
function refusedBy ({ code, detail = '', status, relayed }: RequestRecord): Pick<Refusal, 'about' | 'code' | 'detail'> | undefined {
  if (code !== undefined) return { about: aboutOf(code, status as number), code, detail: shown(detail) }
  return relayed === undefined ? undefined : { about: 'credential', code: relayed.dead ? 'token_rejected' : RELAYED, detail: shown(relayed.words) }
}

/** An upstream's name for a request is of one of them only. */
const withoutRequest = (detail: string): string => detail.replace(/(?:, )?request id \S+$/, '')

/** What is the same in all of them; how long a token has expired is not. */
const nameOf = ({ about, code, route = '', fingerprint, detail, path = '' }: Refusal): string =>
  [code, route, about === 'network' ? '' : fingerprint ?? '', about === 'credential' && fingerprint !== undefined && code !== RELAYED ? '' : withoutRequest(detail), code === 'no_route' ? path : ''].join('\n')

/**
 * The last answers in our own name, equal ones together. Older ones are in the log. Web pages have their own list: none
 * can push out a person's.
 */
export class Refusals implements Iterable<Refusal> {
  readonly #clock: Clock
  readonly #own: LRUCache<string, Refusal>
  readonly #pages: LRUCache<string, Refusal>

  /** @param most kinds kept at most, of web pages and of all others each */
  constructor (most: number, clock: Clock) {
    this.#clock = clock
    this.#own = new LRUCache({ max: most })
    this.#pages = new LRUCache({ max: most })
  }

  /** A request is over; it counts if the answer was ours, or refuses its credential. */
  finished (record: RequestRecord): void {
    const refused = refusedBy(record)
    if (refused === undefined) return
    const { id, method, target, foreign, endedAt, status, route, credential, client } = record
    const refusal: Refusal = {
      ...refused, count: 1, firstAt: endedAt, at: endedAt, status: status as number, requestId: id,
      method, path: shownPath(target).slice(0, PATH), route, fingerprint: credential?.fingerprint, clients: client === undefined ? [] : [client.shown]
    }
    if (foreign) add(this.#pages, { ...refusal, fromPage: true })
    else add(this.#own, refusal)
  }

  /** What never became a request was answered. */
  bare ({ status, code, detail }: SidecarError, requestId: string): void {
    const at = this.#clock.wall()
    add(this.#own, { about: aboutOf(code, status), count: 1, firstAt: at, at, status, code, detail: shown(detail), requestId, clients: [] })
  }

  /** The latest one first. */
  [Symbol.iterator] (): IterableIterator<Refusal> {
    return [...this.#own.values(), ...this.#pages.values()].sort((a, b) => b.at - a.at).values()
  }
}

/** Adds a refusal to those that equal it. */
function add (kept: LRUCache<string, Refusal>, refusal: Refusal): void {
  const name = nameOf(refusal)
  const before = kept.get(name)
  if (before === undefined) return void kept.set(name, refusal)
  const { count, clients, ...last } = refusal
  const { firstAt } = before
  const both = [...clients, ...before.clients.filter(client => !clients.includes(client))].slice(0, CLIENTS)
  Object.assign(before, last, { firstAt, count: before.count + count })
  before.clients.splice(0, before.clients.length, ...both)
}
