import type { Config } from '../../config/config.ts'
import { createCredentialReader } from '../../credential/credential.ts'
import { kindNames, type Owned } from '../../credential/kind.ts'
import type { ToldCredential } from '../../status/credentials.ts'
import type { Status } from '../../status/status.ts'
import { askRunning } from '../running.ts'
import { span } from '../status.ts'
import { subject, type Finding } from './finding.ts'

/** A login that is on disk, by the words for its place and how its owner knows it. */
export interface FoundLogin { readonly looked: string, readonly owned: Owned }

/** Is told each login with its token, of which nothing but what its owner knows it by is kept. */
export type OnLogin = (looked: string, token: string | undefined) => void

/** Collects logins. */
export function collectLogins (): { readonly logins: readonly FoundLogin[], readonly found: OnLogin } {
  const logins: FoundLogin[] = []
  const read = createCredentialReader()
  return {
    logins,
    found: (looked, token = '') => {
      const presented = read(['authorization', `Bearer ${token}`], ['authorization'])
      if (presented.kind === 'credential' && presented.credential.owned.ending !== '') logins.push({ looked, owned: presented.credential.owned })
    }
  }
}

const isRefused = ({ state }: ToldCredential): boolean => state === 'refused' || state === 'expired'
const usersOf = ({ clients }: ToldCredential): string => clients.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')

/** What the running one says of a login, and whether a client goes on with an older one of the same account. */
function judge ({ looked, owned: { kind, ending, endsAt } }: FoundLogin, list: readonly ToldCredential[]): Finding[] {
  const look = subject('running.login', looked)
  const alike = list.filter(other => other.kind === kind && other.ending === ending)
  const end = endsAt === undefined ? '' : new Date(endsAt).toISOString()
  const endOf = (credential: ToldCredential): string => credential.endsAt ?? ''
  const own = alike.filter(credential => endOf(credential) === end).map(credential => {
    const { name, state, words, ageSeconds, todo } = credential
    const told = `the running codex-sidecar has it as ${name}: ${state} (${words}), ${span(ageSeconds)} ago, used by ${usersOf(credential)}`
    return isRefused(credential) ? look.problem(told, String(todo)) : state === 'good' ? look.ok(told) : look.note(told)
  })
  const older = kind === 'chatgpt_login' ? alike.filter(credential => isRefused(credential) && endOf(credential) < end) : []
  return [...own, ...older.map(credential => look.problem(
    `is newer than the ${kindNames.chatgpt_login} that ${usersOf(credential)} still uses, ${credential.state} ${span(credential.ageSeconds)} ago`, `restart ${usersOf(credential)}`))]
}

/** Matches logins on disk with what the running one knows. None of them is sent to it: they are told apart by account and end. */
export async function runningFindings (config: Config, logins: readonly FoundLogin[]): Promise<Finding[]> {
  if (logins.length === 0) return []
  const answer = await askRunning(config, { path: '/status' })
  const { credentials } = (answer?.body ?? {}) as Partial<Status>
  return credentials === undefined ? [] : logins.flatMap(login => judge(login, credentials.list))
}
