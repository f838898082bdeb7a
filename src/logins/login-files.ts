import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { fromHome, type ClientFolders } from '../config/home.ts'
import type { Credential, CredentialReader, Fingerprint } from '../credential/credential.ts'
import type { Owned } from '../credential/kind.ts'
import { inTurn, presentStores, readTokens, type Present } from './read.ts'
import type { Sqlite } from './sqlite.ts'
import type { LoginClient } from './stores.ts'

/** ms between two looks: what is asked for meanwhile gets the last one. */
const PAUSE = 2_000

/** ms for which somebody waits for a look unless told: a home folder on a network may hang. */
const PATIENCE = 5_000

/** A login on this machine's disk. Nothing of its token is kept but digests. */
export interface Login {
  readonly client: LoginClient
  /** The file, as people write it. */
  readonly place: string
  /** As requests have it that carry it as a bearer token. */
  readonly fingerprint: Fingerprint
  readonly mark: string
  readonly owned: Owned
  /** Since when it is known to be there, ms since 1970. */
  readonly since: number
}

export interface LoginFilesOptions {
  /** Undefined where nothing is to be read. */
  readonly folders: ClientFolders | undefined
  readonly read: CredentialReader
  readonly markOf: (credential: Credential) => string
  /** What reads databases; undefined where this version of Node has nothing. */
  readonly sqlite: () => Sqlite | undefined
  readonly clock: Clock
  readonly patience?: number
}

/** The logins that clients keep in files, read only, when somebody wants to know, and again only where a file has changed. */
export class LoginFiles {
  readonly #options: LoginFilesOptions
  #files = new Map<string, { readonly state: string, readonly logins: readonly Login[] }>()
  #logins: readonly Login[] = []
  #lookedAt = -Infinity
  #looking: Promise<void> | undefined
  /** Whether the look that is under way has taken too long for somebody. */
  #hangs = false

  constructor (options: LoginFilesOptions) { this.#options = options }

  /** Those that the last look found. */
  get logins (): readonly Login[] { return this.#logins }

  /** Whether there is nothing to wait for: the last look is over, and recent, or hangs. */
  get fresh (): boolean { return this.#options.folders === undefined || this.#hangs || (this.#looking === undefined && this.#options.clock.monotonic() < this.#lookedAt + PAUSE) }

  /** Looks again, unless the last look is recent. Several who wait wait for the same one. */
  async look (): Promise<void> {
    const { folders, patience = PATIENCE } = this.#options
    if (folders === undefined || this.fresh) return
    this.#looking ??= this.#lookIn(folders).finally(() => {
      this.#looking = undefined
      this.#hangs = false
    })
    if (await Promise.race([this.#looking.then(() => false), sleep(patience, true, { ref: false })])) this.#late()
  }

  /** Somebody has waited long enough. */
  #late (): void { this.#hangs = this.#looking !== undefined }

  async #lookIn (folders: ClientFolders): Promise<void> {
    const { clock, sqlite } = this.#options
    this.#lookedAt = clock.monotonic()
    const before = this.#files
    this.#files = new Map(await inTurn(await presentStores(folders), async present => {
      const { store: { path }, state } = present
      const known = before.get(path)
      if (known?.state === state) return [path, known] as const
      return [path, { state, logins: this.#loginsOf(present, fromHome(path, folders.home), await readTokens(present, sqlite), known?.logins) }] as const
    }))
    this.#logins = [...this.#files.values()].flatMap(({ logins }) => logins)
  }

  /** What was there before is there since then; what is new in a file that was known, since now. */
  #loginsOf ({ store, changedAt }: Present, place: string, tokens: readonly string[], before: readonly Login[] | undefined): Login[] {
    const { read, markOf, clock } = this.#options
    // A database changes with every message: its own time says nothing of its logins.
    const first = 'query' in store ? -Infinity : changedAt
    return tokens.flatMap(token => {
      const presented = read(['authorization', `Bearer ${token}`], ['authorization'])
      if (presented.kind !== 'credential') return []
      const { credential } = presented
      const { fingerprint, owned } = credential
      const since = before === undefined ? first : before.find(login => login.fingerprint === fingerprint)?.since ?? clock.wall()
      return [{ client: store.client, place, fingerprint, mark: markOf(credential), owned, since }]
    })
  }
}
