import { join } from 'node:path'
import json5 from 'json5'
import { codexFolder, shown } from '../../../config/home.ts'
import { codexTokens } from '../../../logins/kept.ts'
import { textOf, type Table } from '../../../wire/json.ts'
import { readClientFile } from '../clients/client-file.ts'
import { subject, type Finding } from '../finding.ts'
import type { OnLogin } from '../running.ts'
import { endOf, judgeLogin } from './login.ts'

/** Base paths for a ChatGPT login and for an API key. */
export const CHATGPT = '/backend-api/codex'
export const API_KEY = '/v1'

/** How Codex keeps its login. */
export interface CodexLogin {
  readonly findings: readonly Finding[]
  /** Base paths that fit it, the best one first. */
  readonly paths: readonly string[]
  /** Whether there is one in a file. */
  readonly present: boolean
}

/**
 * Looks at the login of the Codex CLI.
 * @param settings its config.toml, which can say that the login is kept elsewhere
 * @param found told of it, where it is in the file
 */
export function codexLogin (env: Readonly<Record<string, string | undefined>>, settings: Table, found: OnLogin = () => {}): CodexLogin {
  const file = join(codexFolder(env), 'auth.json')
  const look = subject('codex.login', shown(file, env))
  const { content, fault } = readClientFile(file, look, json5.parse)
  const either = [CHATGPT, API_KEY]
  if (fault !== undefined) return { findings: [fault], paths: either, present: true }
  const { apiKey, access, renewable } = codexTokens(content ?? {})
  found(shown(file, env), apiKey ?? access)
  if (apiKey !== undefined) return { findings: [look.note('is an API key; only the upstream knows whether it holds')], paths: [API_KEY], present: true }
  if (access !== undefined) return { findings: [judgeLogin(look, endOf(access), 'codex login', renewable)], paths: [CHATGPT], present: true }
  const store = textOf(settings['cli_auth_credentials_store']) ?? 'file'
  const words = store === 'file' ? 'holds no login' : `holds no login: Codex keeps it in its store "${store}"`
  return { findings: [look.note(words, 'codex login status')], paths: either, present: false }
}
