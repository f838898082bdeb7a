import type { Route } from '../../config/options.ts'
import type { Said } from './said.ts'

/** One way in which an upstream is known to refuse a credential. */
export interface Row {
  /** Its stable code, where it has one. */
  readonly code?: string
  /** Its words. */
  readonly message?: RegExp
  /** What it counts against; `nothing`: it is about the request or the account, and the token may be good for another one. */
  readonly reach: 'token' | 'nothing'
  /** The same in our words. */
  readonly words: string
  /** Where it was seen. */
  readonly source: string
}

const contract = 'contract.md section 5'

/** What no dialect takes for a dead token, whatever code stands beside it. */
const requests: readonly Row[] = [
  { message: /missing scopes|insufficient permissions/i, reach: 'nothing', words: 'it lacks the scopes for this request', source: 'PowerToys#32989, openai/codex#33664' },
  { code: 'mismatched_organization', reach: 'nothing', words: 'the organisation is not its own', source: 'openai/codex#1000' },
  { message: /^missing bearer/i, reach: 'nothing', words: 'no credential came with the request', source: contract }
]

/** Words and codes for a token that is dead. */
const dead: readonly Row[] = [
  { code: 'token_expired', reach: 'token', words: 'it has expired', source: contract },
  { code: 'token_invalidated', reach: 'token', words: 'it was invalidated by signing in or out elsewhere', source: contract },
  { code: 'token_revoked', reach: 'token', words: 'it was revoked', source: contract },
  { code: 'invalid_api_key', reach: 'token', words: 'it knows no such API key', source: contract },
  { code: 'account_deactivated', reach: 'token', words: 'its account was deactivated', source: 'chatGPT-discord-bot#442' },
  { message: /^incorrect api key provided/i, reach: 'token', words: 'it knows no such API key', source: contract },
  { message: /^invalid bearer token\.?$/i, reach: 'token', words: 'it is not a valid credential', source: contract }
]

/** Rows by dialect, the first one that fits counts. An upstream of one's own has OpenAI's, unless its route says otherwise. */
export const rows: Readonly<Record<Route['dialect'], readonly Row[]>> = {
  openai: [...requests, ...dead],
  anthropic: [
    ...requests,
    { message: /^oauth authentication is currently not (?:supported|allowed)/i, reach: 'nothing', words: 'the request lacks its beta header, or the organisation does not allow it', source: 'claude-code#6752, openclaw/openclaw#41461' },
    { message: /^invalid x-api-key/i, reach: 'token', words: 'it knows no such API key', source: 'field.md A' },
    { message: /^oauth token (?:has expired|has been revoked|revoked)/i, reach: 'token', words: 'it has expired or was revoked', source: 'field.md A' },
    ...dead
  ]
}

/** The row that a refusal stands in. */
export const rowFor = (dialect: Route['dialect'], { code, message }: Said): Row | undefined => rows[dialect].find(row =>
  (row.code !== undefined && row.code === code) || (row.message !== undefined && message !== undefined && row.message.test(message)))
