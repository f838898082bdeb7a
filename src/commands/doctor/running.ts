import type { Config } from '../../config/config.ts'
import { nameOf, shownName } from '../../config/routes.ts'
import { createCredentialReader, type Credential } from '../../credential/credential.ts'
import { kindNames, type Owned } from '../../credential/kind.ts'
import { holderMark } from '../../credential/mark.ts'
import type { ToldCredential } from '../../status/credentials.ts'
import type { Status } from '../../status/status.ts'
import { span } from '../status.ts'
import { subject, type Finding } from './finding.ts'

/** A login that is on disk, by the words for its place. The credential shows nothing of its token. */
export interface FoundLogin { readonly looked: string, readonly credential: Credential }

/** Is told each login with its token. */
export type OnLogin = (looked: string, token: string | undefined) => void

/** Collects logins. */
export function collectLogins (): { readonly logins: readonly FoundLogin[], readonly found: OnLogin } {
  const logins: FoundLogin[] = []
  const read = createCredentialReader()
  return {
    logins,
    found: (looked, token = '') => {
      const presented = read(['authorization', `Bearer ${token}`], ['authorization'])
      if (presented.kind === 'credential') logins.push({ looked, credential: presented.credential })
    }
  }
}

/** Whether it is refused, and somebody has to do something about it: who has renewed a login needs the old one no more. */
const isDue = ({ state, todo }: ToldCredential): boolean => todo !== null && (state === 'refused' || state === 'expired')
const usersOf = ({ clients }: ToldCredential): string => clients.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')

/** Whether a credential is older than another login of its account: by when they were made, or else by when they end. */
const isOlder = ({ issuedAt, endsAt }: ToldCredential, other: Owned): boolean =>
  issuedAt !== null && other.issuedAt !== undefined ? Date.parse(issuedAt) < other.issuedAt : Date.parse(String(endsAt)) < (other.endsAt ?? -Infinity)

/** What the running one says of a login, and whether a client goes on with an older one of the same account. */
function judge ({ looked, credential: { owned }, credential }: FoundLogin, { salt, list }: Status['credentials']): Finding[] {
  const look = subject('running.login', looked)
  const [mark, holder] = [credential.markBy(salt), holderMark(salt, owned)]
  const own = list.filter(({ marks }) => mark !== '' && marks.token === mark).map(told => {
    const { name, state, words, ageSeconds, todo } = told
    const all = `the running codex-sidecar has it as ${name}: ${state} (${words}), ${span(ageSeconds)} ago, used by ${usersOf(told)}`
    return isDue(told) ? look.problem(all, String(todo)) : state === 'good' ? look.ok(all) : look.note(all)
  })
  const older = list.filter(told => holder !== null && told.marks.holder === holder && isDue(told) && isOlder(told, owned))
  return [...own, ...older.map(told => look.problem(
    `is newer than the ${kindNames[told.kind]} that ${usersOf(told)} still uses, ${told.state} ${span(told.ageSeconds)} ago`, told.newer === null ? `restart ${usersOf(told)}` : String(told.todo)))]
}

/** What is refused and in no file here: keys of variables, and tokens that somebody has typed. */
function refusedElsewhere (logins: readonly FoundLogin[], { salt, list }: Status['credentials']): Finding[] {
  const known = new Set(logins.flatMap(({ credential }) => [credential.markBy(salt), holderMark(salt, credential.owned)]))
  return list.filter(told => isDue(told) && !known.has(told.marks.token) && (told.marks.holder === null || !known.has(told.marks.holder))).map(told =>
    subject('running.login', told.name).warning(`${told.state} (${told.words}) ${span(told.ageSeconds)} ago, used by ${usersOf(told)}; it is in no client's file here`, String(told.todo)))
}

/** Matches logins on disk with what the running one knows. None of them is sent to it: it tells digests by which they are known. */
export const runningFindings = (running: Status | undefined, logins: readonly FoundLogin[]): Finding[] =>
  running === undefined ? [] : [...logins.flatMap(login => judge(login, running.credentials)), ...refusedElsewhere(logins, running.credentials)]

/** An upstream's URL, where it is one. */
const urlOf = (text: string | undefined): string | undefined => text !== undefined && /^https?:/.test(text) && URL.canParse(text) ? text : undefined

/** Where the running one goes with our routes: its configuration may be another one than that of this shell. */
export function asRunning (config: Config, running: Status | undefined): { readonly config: Config, readonly findings: readonly Finding[] } {
  const upstreamOf = new Map(running?.routes.map(({ path, upstream }) => [path, upstream]))
  const routes = config.routes.map(route => ({ ...route, upstream: urlOf(upstreamOf.get(shownName(nameOf(route)))) ?? route.upstream }))
  const others = routes.filter(({ upstream }, i) => upstream !== config.routes[i]?.upstream).map(route => `${shownName(nameOf(route))} to ${route.upstream}`)
  const look = subject('running.upstream', 'routes of the running codex-sidecar')
  return { config: { ...config, routes }, findings: others.length === 0 ? [] : [look.note(`go elsewhere than the configuration of this shell says, and are looked at below: ${others.join(', ')}`)] }
}
