import type { IncomingMessage } from 'node:http'
import { at, jwt } from '../../fixtures/token.ts'

/** The companies for which the stand-in stands in, each at an address of its own. */
export type Provider = 'chatgpt' | 'openai' | 'anthropic'

export const PROVIDERS: readonly Provider[] = ['chatgpt', 'openai', 'anthropic']

type Standing = 'good' | 'dead' | 'expired'

const session = (jti: string): string => jwt({ jti, exp: 4_000_000_000 }, 'acct-1')
const expired = (jti: string): string => jwt({ jti, exp: at(-3600) })

/** A credential of each kind for each of them; none is good for two. */
export const keys: Readonly<Record<Provider, Readonly<Record<Standing, string>>>> = {
  chatgpt: { good: session('good'), dead: session('dead'), expired: expired('chatgpt') },
  openai: { good: 'sk-good-openai', dead: 'sk-dead-openai', expired: expired('openai') },
  anthropic: { good: 'sk-ant-api03-good', dead: 'sk-ant-api03-dead', expired: expired('anthropic') }
}

/** Whether a provider was sent what was meant for another one, wherever in a request's head it stands. */
export const isForeign = (provider: Provider, { rawHeaders, url = '' }: Pick<IncomingMessage, 'rawHeaders' | 'url'>): boolean =>
  PROVIDERS.some(other => other !== provider && Object.values(keys[other]).some(key => [url, ...rawHeaders].some(text => text.includes(key))))

const wrong = { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }

/** What each answers to a credential that it does not take. */
export const refusals: Readonly<Record<Provider, object>> = {
  chatgpt: { error: { message: 'Provided authentication token is invalid.', type: 'invalid_request_error', code: 'token_invalidated', param: null } },
  openai: wrong,
  anthropic: { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' }, request_id: 'req_1' }
}
