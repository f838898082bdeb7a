import { describe, type Code } from '../answers/errors.ts'
import { ownName } from '../credential/kind.ts'
import { tellLimits } from '../telemetry/usage/quota.ts'
import { holderMark } from '../credential/mark.ts'
import type { Used, Usage } from '../telemetry/usage/usage.ts'
import type { Entries } from '../verdict/cache/entry.ts'
import { verdictsOn, type ListedVerdict } from '../verdict/cache/listing.ts'
import { adviceOf, type Newer, type NewerLogins } from './newer.ts'
import type { Replaced } from './replaced.ts'

/** How it stands with a credential. Partly: some of its requests are refused; unclear: nobody has said. */
export type State = 'good' | 'refused' | 'expired' | 'limited' | 'partly' | 'unclear'

/** A judgement in words, who said so, and how long ago. */
interface Standing { readonly state: State, readonly words: string, readonly source: string | null, readonly ageSeconds: number }

/** When it is, by both clocks. */
export interface Now { readonly wall: number, readonly monotonic: number }

/** ms past its end from which on a login is refused: clocks differ. */
const SKEW = 60_000

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 1000))

/** Our own refusal, from the words of the answer that its client got: what happened. */
const reasonOf = (code: Code, detail: string): string => describe(code, detail).replace(/^[^-]+ - /, '').replace(/\. (?:Sign|Correct|Check|Change|Request).*$/s, '')

/** What its own claims, form or route say against it. */
function byItself ({ owned: { endsAt }, refusal, last, usedAt }: Used, now: number): Standing | undefined {
  const over = (at: number): boolean => endsAt !== undefined && at > endsAt + SKEW
  // Who is answered well beyond its end has another one, or our clock is wrong.
  const expired = endsAt !== undefined && over(now) && !(last === 'good' && over(usedAt))
  if (refusal?.code !== undefined && (refusal.source === 'claims' || refusal.source === 'signature')) {
    const { code, detail = '', source = null, at } = refusal
    return { state: code === 'token_expired' ? 'expired' : 'refused', words: reasonOf(code, detail), source, ageSeconds: seconds(now - at) }
  }
  const since = last === 'refused' ? '' : ', and nobody was refused with it'
  return expired ? { state: 'expired', words: `it expired at ${new Date(endsAt).toISOString()}${since}`, source: 'claims', ageSeconds: seconds(now - endsAt) } : undefined
}

/** What the upstream's own refusal of its last request says, where nothing is held against it. */
function byLast ({ refusal, relayed }: Used): { readonly state: State, readonly words: string } {
  if (refusal !== undefined) return { state: 'unclear', words: 'it was refused before; the next request asks the upstream again' }
  if (relayed?.dead === true) return { state: 'unclear', words: 'the upstream says that it is dead, against its good answers before; if it says so again, that holds' }
  if (relayed?.bare === false) return { state: 'partly', words: 'the upstream refused its last request, and not for the token itself' }
  return { state: 'unclear', words: 'the upstream refused its last request, and gave no reason that can be read' }
}

/** How it stands, by the strongest thing that is known. */
function standingOf (used: Used, verdicts: readonly ListedVerdict[], now: number): Standing {
  const find = (state: ListedVerdict['state'], reach: ListedVerdict['reach']): ListedVerdict | undefined => verdicts.find(verdict => verdict.state === state && verdict.reach === reach)
  const as = (state: State, words: string, { source, ageSeconds, route }: ListedVerdict): Standing => ({ state, words: `${words} (${route})`, source, ageSeconds })
  const since = { source: 'upstream', ageSeconds: seconds(now - used.usedAt) }
  const own = byItself(used, now)
  if (own !== undefined) return own
  const good = find('active', 'token')
  const dead = find('inactive', 'token')
  // What one route says counts for no other.
  if (dead !== undefined) return as(used.last === 'good' && good !== undefined ? 'partly' : 'refused', dead.detail, dead)
  if (used.last === 'limited') return { state: 'limited', words: 'at its limit: the upstream answered 429', ...since }
  const partly = find('inactive', 'request')
  if (partly !== undefined) return as('partly', partly.detail, partly)
  const suspect = find('suspect', 'request')
  if (used.last === 'refused') {
    return suspect === undefined ? { ...byLast(used), ...since } : as('unclear', suspect.detail, suspect)
  }
  if (good !== undefined) return as('good', 'accepted', good)
  return used.counts.good > 0 ? { state: 'good', words: 'accepted', ...since } : { state: 'unclear', words: 'no answer so far tells', source: null, ageSeconds: since.ageSeconds }
}

/** Whether nobody has to do anything about it, although it is not good: it has ended and nobody was refused with it, or all who were went on with another one. */
const isPast = (used: Used, state: State, { replaced }: Told): boolean =>
  (state === 'expired' && used.last !== 'refused') || (used.last === 'refused' && replaced(used))

/** The newer login beside one that is refused. */
function newerThan (used: Used, state: State, { newer, now }: Told): Newer | undefined {
  const refused = state === 'refused' || state === 'expired' || (state === 'unclear' && used.last === 'refused')
  return refused && used.refusal?.code !== 'wrong_route' ? newer.of(used, now.wall) : undefined
}

/** The one thing to do. */
function adviceFor (used: Used, state: State, newer: Newer | undefined): string | null {
  const { owned: { kind }, refusal } = used
  if (newer !== undefined) return adviceOf(newer, used)
  if (state === 'good' || state === 'unclear') return null
  if (state === 'limited') return 'Wait for the limit to be filled again, or use another account or key. The credential itself is good.'
  if (state === 'partly') return 'Look at the refusals below: the request, or what it asks for, is what is refused.'
  if (refusal?.code === 'wrong_route') return 'Change the base URL or the credential in the client.'
  const login = kind === 'chatgpt_login' || kind === 'anthropic_oauth' || kind === 'jwt'
  return login ? 'Sign in again in the client that uses it; nothing needs a restart.' : 'Replace the key in the client that uses it.'
}

/** By what credentials are told. */
export interface Told { readonly entries: Entries, readonly newer: NewerLogins, readonly replaced: Replaced, /** That of the marks. */ readonly salt: string, readonly now: Now }

/** A credential as its owner knows it. Nothing of this may leave our own paths. */
export function tellCredential (used: Used, told: Told) {
  const { entries, salt, now } = told
  const { fingerprint, owned, mark, counts, usedAt, clients, limits } = used
  const { kind, plan = null, ending, endsAt, issuedAt } = owned
  const verdicts = used.keys.flatMap(key => verdictsOn(entries, key, now.monotonic))
  const standing = standingOf(used, verdicts, now.wall)
  const past = isPast(used, standing.state, told)
  const newer = past ? undefined : newerThan(used, standing.state, told)
  return {
    token: fingerprint.slice(0, 8),
    kind, name: ownName(owned), plan, ending,
    endsAt: endsAt === undefined ? null : new Date(endsAt).toISOString(),
    issuedAt: issuedAt === undefined ? null : new Date(issuedAt).toISOString(),
    /** Negative where it has ended. */
    endsInSeconds: endsAt === undefined ? null : Math.round((endsAt - now.wall) / 1000),
    ...standing,
    todo: past ? null : adviceFor(used, standing.state, newer),
    /** Where a newer login of the same account lies, or another one of the same client. */
    newer: newer === undefined ? null : { client: newer.login.client, place: newer.login.place, certain: newer.certain },
    /** By which others who have the login know it, and others of the same account. */
    marks: { token: mark, holder: holderMark(salt, owned) },
    /** Whether there is something to release. */
    held: verdicts.some(({ state }) => state !== 'active'),
    requests: { ...counts },
    usedSecondsAgo: seconds(now.wall - usedAt),
    clients: clients.map(({ client: { name, version }, requests, usedAt: at }) => ({ name, version, requests, usedSecondsAgo: seconds(now.wall - at) })),
    limits: limits === undefined ? [] : tellLimits(limits.said),
    limitsAgeSeconds: limits === undefined ? null : seconds(now.wall - limits.at)
  }
}

export type ToldCredential = ReturnType<typeof tellCredential>

const urgencies: readonly State[] = ['refused', 'expired', 'limited', 'partly', 'unclear', 'good']

/** Those that need somebody first, then those used last; at the end what is past. */
const urgency = ({ state, todo }: ToldCredential): number =>
  todo === null && (state === 'refused' || state === 'expired') ? urgencies.length : urgencies.indexOf(state)

/** Shows credentials: of those used last, `most` at most, those that need somebody first. */
export function listCredentials (usage: Usage, told: Told, most: number): ToldCredential[] {
  return usage.latest(most)
    .map(used => tellCredential(used, told))
    .sort((a, b) => urgency(a) - urgency(b))
}
