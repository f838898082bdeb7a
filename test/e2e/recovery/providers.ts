import { expiredJwt, jwt } from '../../fixtures/token.ts'

/** The companies for which the stand-in stands in, each at an address of its own. */
export type Provider = 'chatgpt' | 'openai' | 'anthropic'

export const PROVIDERS: readonly Provider[] = ['chatgpt', 'openai', 'anthropic']

type Standing = 'good' | 'dead' | 'expired'

const session = (jti: string): string => jwt({ jti, exp: 4_000_000_000 }, 'acct-1')

/** A credential of each kind for each of them; none is good for two. */
export const keys: Readonly<Record<Provider, Readonly<Record<Standing, string>>>> = {
  chatgpt: { good: session('good'), dead: session('dead'), expired: expiredJwt() },
  openai: { good: 'sk-good-openai', dead: 'sk-dead-openai', expired: expiredJwt() },
  anthropic: { good: 'sk-ant-api03-good', dead: 'sk-ant-api03-dead', expired: expiredJwt() }
}

/** Whether a provider was sent what was meant for another one. */
export const isForeign = (provider: Provider, credential: string): boolean =>
  PROVIDERS.some(other => other !== provider && (credential === keys[other].good || credential === keys[other].dead))

const wrong = { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }

/** What each answers to a credential that it does not take. */
export const refusals: Readonly<Record<Provider, object>> = {
  chatgpt: { error: { message: 'Provided authentication token is invalid.', type: 'invalid_request_error', code: 'token_invalidated', param: null } },
  openai: wrong,
  anthropic: { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' }, request_id: 'req_1' }
}
