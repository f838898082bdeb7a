import type { UnverifiedClaims } from './credential.ts'

/** Kinds of credentials that are known by their form, as their owners call them. */
export const kindNames = {
  chatgpt_login: 'ChatGPT login',
  openai_key: 'OpenAI key',
  openai_project_key: 'OpenAI project key',
  openai_service_key: 'OpenAI service key',
  openai_admin_key: 'OpenAI admin key',
  openai_client_secret: 'OpenAI client secret',
  openai_access_token: 'OpenAI access token',
  anthropic_key: 'Anthropic key',
  anthropic_oauth: 'Anthropic OAuth token',
  gateway_key: 'gateway key',
  jwt: 'JWT',
  pair: 'pair of credentials',
  opaque: 'opaque token'
} as const

export type CredentialKind = keyof typeof kindNames

/** Where ChatGPT's tokens say whose they are. */
const CHATGPT = 'https://api.openai.com/auth'

/** Beginnings of tokens, the longest first (contract.md section 4). `sk-` and a short word are keys of gateways, `sk-or-` for one. */
const beginnings: readonly (readonly [RegExp, CredentialKind])[] = [
  [/^sk-ant-oat/, 'anthropic_oauth'],
  [/^sk-ant-/, 'anthropic_key'],
  [/^sk-proj-/, 'openai_project_key'],
  [/^sk-svcacct-/, 'openai_service_key'],
  [/^sk-admin-/, 'openai_admin_key'],
  [/^sk-[a-z]{2,8}-|^tid=/, 'gateway_key'],
  [/^sk-/, 'openai_key'],
  [/^ek_/, 'openai_client_secret'],
  [/^at-/, 'openai_access_token']
]

/** Fields in which the companies take their keys; what stands in another one is a gateway's. */
const companies = /^(?:authorization|x-api-key|sec-websocket-protocol)$/

/** What a credential is, by its form. */
export function kindOf ({ secret, claims, carrier }: { secret: string, claims: UnverifiedClaims | undefined, carrier: string }): CredentialKind {
  if (secret.includes('\n')) return 'pair'
  if (claims !== undefined) return CHATGPT in claims ? 'chatgpt_login' : 'jwt'
  const known = beginnings.find(([begins]) => begins.test(secret))?.[1]
  return known ?? (carrier.split(',').some(field => companies.test(field)) ? 'opaque' : 'gateway_key')
}

/** Characters of a token from which on its last four tell little of it. */
export const LONG = 20

/** How its owner knows a credential: shown on our own paths, and nowhere else. */
export interface Owned {
  readonly kind: CredentialKind
  /** What is paid for, where a login says so. */
  readonly plan: string | undefined
  /** Whose it is, where a JWT says so: the same for all logins of a person at one account. Never shown. */
  readonly holder: string | undefined
  /** The last four characters: of the account for a login, of the token for a key; empty where that would tell too much. */
  readonly ending: string
  /** When it ends by its own word, ms since 1970. */
  readonly endsAt: number | undefined
  /** When it was made, by its own word, ms since 1970. */
  readonly issuedAt: number | undefined
}

/** Text of a claim that is short enough to be a name. */
const nameIn = (claim: unknown): string | undefined => typeof claim === 'string' && /^[\w.:-]{1,64}$/.test(claim) ? claim : undefined

/** Seconds of a claim as ms since 1970, where they can be a time (design.md section 3): a number before 2000 or after 2100 says nothing. */
const timeIn = (claim: unknown): number | undefined => typeof claim === 'number' && claim >= 946_684_800 && claim < 4_102_444_800 ? claim * 1000 : undefined

/** Characters of a claim that names somebody. */
const ID = 200

/** The claims that name the holder, all in one; undefined where there is none. */
function holderIn (claims: readonly unknown[]): string | undefined {
  const ids = claims.map(claim => typeof claim === 'string' && claim.length <= ID ? claim : '')
  return ids.every(id => id === '') ? undefined : ids.join('\n')
}

/** What a token says of itself to its owner. Nobody has verified it. */
export function ownedBy ({ kind, claims, reveal }: { kind: CredentialKind, claims: UnverifiedClaims | undefined, reveal: () => string }): Owned {
  const endsAt = timeIn(claims?.['exp'])
  if (claims === undefined) {
    const token = reveal()
    return { kind, plan: undefined, holder: undefined, ending: kind !== 'pair' && token.length >= LONG ? token.slice(-4) : '', endsAt, issuedAt: undefined }
  }
  const { iat, iss, sub } = claims
  const { chatgpt_account_id: id, chatgpt_plan_type: type, chatgpt_user_id: user = sub } = (claims[CHATGPT] ?? {}) as Readonly<Record<string, unknown>>
  return {
    kind, plan: nameIn(type), ending: nameIn(id)?.slice(-4) ?? '', endsAt, issuedAt: timeIn(iat),
    holder: holderIn(kind === 'chatgpt_login' ? [id, user] : [iss, sub])
  }
}

/** "ChatGPT login (plan pro, …1a2b)". */
export function ownName ({ kind, plan, ending }: Pick<Owned, 'kind' | 'plan' | 'ending'>): string {
  const facts = [...plan === undefined ? [] : [`plan ${plan}`], ...ending === '' ? [] : [`…${ending}`]].join(', ')
  return facts === '' ? kindNames[kind] : `${kindNames[kind]} (${facts})`
}
