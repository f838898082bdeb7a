import type { Credential } from '../credential/credential.ts'
import type { Login, LoginFiles } from '../logins/login-files.ts'
import type { LoginClient } from '../logins/stores.ts'
import type { Usage, Used } from '../telemetry/usage/usage.ts'
import { ago } from '../verdict/local/claims.ts'

/** What is compared of a credential with the logins on disk. */
export type Compared = Pick<Used, 'owned' | 'mark' | 'clients'>

/** What the files of this machine's clients say about a credential that is not good. */
export interface Newer {
  /** Another login of the same account, or where nobody can tell accounts apart of the same client. */
  readonly login: Login
  /** Whether it is certain that it is of the same account, and newer. */
  readonly certain: boolean
  /** Where the credential itself still lies, if it does. */
  readonly still: Login | undefined
  /** ms since the credential was made; undefined where it does not say so. */
  readonly age: number | undefined
}

/** Whether a refusal is one that another login would not get. */
export const isOfLogin = (code: string): boolean => code === 'token_expired' || code === 'token_rejected'

/** Kinds of keys that OpenClaw has of any company: another one of them may be for another provider of its many. */
const anybodys: ReadonlySet<string> = new Set(['openai_key', 'gateway_key', 'opaque'])

/** Names by which programs call themselves that use a client's file. */
const users: Readonly<Record<LoginClient, RegExp>> = { codex: /^codex/i, openclaw: /^(?:openclaw|pi\b)/i, claude: /^claude/i }

/** "a login of 3 hours ago". */
const loginOf = ({ age }: Newer): string => age === undefined ? 'an older login' : `a login of ${ago(age)}`

/** For the client itself, and whoever reads along: nothing that was read is in it. */
export function hintOf (newer: Newer): string {
  if (!newer.certain) return 'Another login of this client is on its disk: restart the client.'
  if (newer.still !== undefined) return `The client has ${loginOf(newer)}; another client on this machine has a newer one of the same account: sign in again in this one.`
  return `The client still uses ${loginOf(newer)}; a newer one is on its disk: restart the client.`
}

/** The one thing to do, for our own paths. */
export function adviceOf (newer: Newer, { clients }: Pick<Compared, 'clients'>): string {
  const { login: { place }, still } = newer
  if (still !== undefined) return `Sign in again in the client whose login is in ${still.place}: it has ${loginOf(newer)}, and a newer one of the same account is in ${place}.`
  const whom = clients.map(({ client: { shown } }) => shown).slice(0, 3).join(', ')
  return newer.certain ? `Restart ${whom}: still in use is ${loginOf(newer)}, and a newer one is in ${place}.` : `Restart ${whom}: another login is in ${place} than the one in use.`
}

/** Whether a login is of the same account. */
const isSame = ({ owned: { holder } }: Compared, login: Login): boolean => holder !== undefined && holder === login.owned.holder

/** Whether it is the very same. */
const isItself = ({ mark }: Compared, login: Login): boolean => mark !== '' && mark === login.mark

/** Compares credentials with the logins on disk. */
export function createNewer (files: LoginFiles, usage: Pick<Usage, 'find' | 'salt'>) {
  /** One that has ended, or was refused itself, is no help. */
  const helps = ({ fingerprint, owned: { endsAt } }: Login, now: number): boolean =>
    (endsAt === undefined || endsAt > now) && usage.find(fingerprint)?.last !== 'refused'
  const isNewer = ({ owned: { issuedAt, endsAt = -Infinity } }: Compared, { owned: other }: Login): boolean =>
    issuedAt !== undefined && other.issuedAt !== undefined ? other.issuedAt > issuedAt : (other.endsAt ?? -Infinity) > endsAt
  const isOthers = ({ owned: { kind }, clients }: Compared, { client, owned }: Login): boolean =>
    owned.holder === undefined && owned.kind === kind && !(client === 'openclaw' && anybodys.has(kind)) && clients.some(({ client: { name } }) => users[client].test(name))

  return {
    /** @param now ms since 1970 */
    of (compared: Compared, now: number): Newer | undefined {
      const { owned: { holder, issuedAt } } = compared
      const still = files.logins.find(login => isItself(compared, login))
      const others = files.logins.filter(login => !isItself(compared, login) && helps(login, now))
      const certain = holder !== undefined
      const login = others.find(other => certain ? isSame(compared, other) && isNewer(compared, other) : still === undefined && isOthers(compared, other))
      return login === undefined ? undefined : { login, certain, still, age: issuedAt === undefined ? undefined : now - issuedAt }
    },
    /** Since when a login of a credential's account, or the credential itself, lies where it does, ms since 1970. */
    since: (compared: Compared): number =>
      Math.max(-Infinity, ...files.logins.filter(login => isItself(compared, login) || isSame(compared, login)).map(({ since }) => since)),
    /** A credential that nobody has used before. */
    compared: (credential: Credential): Compared => usage.find(credential.fingerprint) ?? { owned: credential.owned, mark: credential.markBy(usage.salt), clients: [] },
    look: async (): Promise<void> => { await files.look() },
    get fresh (): boolean { return files.fresh },
    /** Whether the last look found nothing. */
    get none (): boolean { return files.logins.length === 0 }
  }
}

export type NewerLogins = ReturnType<typeof createNewer>
