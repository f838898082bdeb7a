import { existsSync, readdirSync, statSync } from 'node:fs'
import json5 from 'json5'
import { openclawFiles, shown } from '../../../config/home.ts'
import { openclawProfiles, type Profile } from '../../../logins/kept.ts'
import { readRow, type Sqlite } from '../../../logins/sqlite.ts'
import { agentsFolder, openclawStores, type Database } from '../../../logins/stores.ts'
import { tableOf, type Table } from '../../../wire/json.ts'
import { readClientFile } from '../clients/client-file.ts'
import { subject, type Finding } from '../finding.ts'
import type { OnLogin } from '../running.ts'
import { endOf, judgeLogin } from './login.ts'

type Env = Readonly<Record<string, string | undefined>>

/** ms since 1970 before which no login can have ended: what is less stands for something else. */
const EARLIEST = Date.UTC(2020, 0)

/** The earlier of what a profile says of its end and what its token does: we, and the upstream, go by the token. */
function endOfProfile ({ token, expires }: Profile): number | undefined {
  const ends = [typeof expires === 'number' && expires > EARLIEST ? expires : undefined, endOf(token)].filter(end => end !== undefined)
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** For which providers logins are looked at, and who is told of them. */
interface Wanted { readonly providers: readonly string[], readonly found: OnLogin }

/** Findings about the logins in one store of profiles, as far as they are for these providers. */
function profiles (store: Table, file: string, { providers, found }: Wanted): Finding[] {
  return openclawProfiles(store).flatMap(profile => {
    const { id, provider, type, token, renewable } = profile
    const look = subject('openclaw.login', `${file} profile ${id}`)
    if (!providers.includes(provider)) return []
    found(`${file} profile ${id}`, token)
    if (type === 'api_key') return [look.note('is an API key; only the upstream knows whether it holds')]
    const way = type === 'token' ? 'paste-token' : 'login'
    return [judgeLogin(look, endOfProfile(profile), `openclaw models auth ${way} --provider ${provider}`, renewable)]
  })
}

/** Providers whose logins come here with the lines that `setup` prints. */
const usual = ['openai', 'openai-codex', 'anthropic']

function inDatabase ({ path, query }: Database, env: Env, sqlite: Sqlite | undefined, wanted: Wanted): Finding[] {
  const file = shown(path, env)
  const look = subject('openclaw.login', file)
  if (sqlite === undefined) return [look.note('is a database that this version of Node cannot read', 'openclaw models status')]
  try {
    return readRow(sqlite, path, query).flatMap(json => profiles(tableOf(json5.parse(json)), file, wanted))
  } catch {
    return [look.note('cannot be read as a database of profiles', 'openclaw models status')]
  }
}

/** Whether there is a file; a pipe would be waited for for ever. */
const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile()

/**
 * Looks at OpenClaw's logins: in databases since 2026.9, in a file of each agent before.
 * @param sqlite what reads them; undefined where nothing on this machine does
 * @param more providers of one's own that lead here
 * @param found told of each
 */
export function openclawLogins (env: Env, sqlite: Sqlite | undefined, more: readonly string[] = [], found: OnLogin = () => {}): Finding[] {
  const wanted = { providers: [...usual, ...more], found }
  const { state } = openclawFiles(env)
  const folder = agentsFolder(state)
  const { databases, files } = openclawStores(state, existsSync(folder) ? readdirSync(folder) : [])
  const present = databases.filter(({ path }) => isFile(path))
  if (present.length > 0) return present.flatMap(database => inDatabase(database, env, sqlite, wanted))
  return files.flatMap(({ path }) => {
    const file = shown(path, env)
    const { content = {}, fault } = readClientFile(path, subject('openclaw.login', file), json5.parse)
    return fault === undefined ? profiles(content, file, wanted) : [fault]
  })
}
