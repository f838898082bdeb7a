import { tableOf, textOf, type Table } from '../wire/json.ts'

// What the files hold in which clients keep their logins, by their parsed contents. Nothing here reads a file.

/** Codex's auth.json. */
export function codexTokens (content: Table): { readonly apiKey: string | undefined, readonly access: string | undefined, readonly renewable: boolean } {
  const { access_token: access, refresh_token: refresh } = tableOf(content['tokens'])
  const apiKey = content['auth_mode'] === 'chatgpt' ? undefined : textOf(content['OPENAI_API_KEY'])
  return { apiKey, access: textOf(access), renewable: textOf(refresh) !== undefined }
}

/** One of OpenClaw's logins. */
export interface Profile {
  readonly id: string
  readonly provider: string
  readonly type: unknown
  readonly token: string | undefined
  /** When it ends by the profile's own word. */
  readonly expires: unknown
  readonly renewable: boolean
}

/** OpenClaw's profiles: a file of each agent up to 2026.4, a row of a database since. */
export const openclawProfiles = (store: Table): Profile[] => Object.entries(tableOf(store['profiles'])).map(([id, value]) => {
  const { provider, type, access, token, key, expires, refresh } = tableOf(value)
  return { id, provider: String(provider), type, token: textOf(access) ?? textOf(token) ?? textOf(key), expires, renewable: textOf(refresh) !== undefined }
})

/** Databases of OpenClaw that hold profiles since 2026.9: one for all agents, one for each. */
export const profileQueries = {
  shared: 'SELECT value_json AS json FROM config_machine_state WHERE state_key = \'authProfiles.store\'',
  agent: 'SELECT store_json AS json FROM auth_profile_store'
} as const

/** Claude Code's .credentials.json, where the system has no place of its own for them. */
export function claudeLogin (content: Table): { readonly token: string | undefined, readonly expires: unknown, readonly renewable: boolean } {
  const { accessToken, refreshToken, expiresAt } = tableOf(content['claudeAiOauth'])
  return { token: textOf(accessToken), expires: expiresAt, renewable: textOf(refreshToken) !== undefined }
}
