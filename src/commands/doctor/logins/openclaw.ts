import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import json5 from 'json5'
import { readClientFile, tableOf, textOf, type Table } from '../clients/client-file.ts'
import { subject, type Finding } from '../finding.ts'
import { openclawFiles, shown } from '../home.ts'
import type { OnLogin } from '../running.ts'
import { endOf, judgeLogin } from './login.ts'
import { readRow, type Sqlite } from './sqlite.ts'

type Env = Readonly<Record<string, string | undefined>>

/** ms since 1970 before which no login can have ended: what is less stands for something else. */
const EARLIEST = Date.UTC(2020, 0)

/** The earlier of what a profile says of its end and what its token does: we, and the upstream, go by the token. */
function endOfProfile ({ access, token, expires }: Table): number | undefined {
  const ends = [typeof expires === 'number' && expires > EARLIEST ? expires : undefined, endOf(textOf(access) ?? textOf(token))].filter(end => end !== undefined)
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** For which providers logins are looked at, and who is told of them. */
interface Wanted { readonly providers: readonly string[], readonly found: OnLogin }

/** Findings about the logins in one store of profiles, as far as they are for these providers. */
function profiles (store: Table, file: string, { providers, found }: Wanted): Finding[] {
  return Object.entries(tableOf(store['profiles'])).flatMap(([id, value]) => {
    const profile = tableOf(value)
    const provider = String(profile['provider'])
    const look = subject('openclaw.login', `${file} profile ${id}`)
    if (!providers.includes(provider)) return []
    found(`${file} profile ${id}`, textOf(profile['access']) ?? textOf(profile['token']) ?? textOf(profile['key']))
    if (profile['type'] === 'api_key') return [look.note('is an API key; only the upstream knows whether it holds')]
    const way = profile['type'] === 'token' ? 'paste-token' : 'login'
    return [judgeLogin(look, endOfProfile(profile), `openclaw models auth ${way} --provider ${provider}`, textOf(profile['refresh']) !== undefined)]
  })
}

/** Providers whose logins come here with the lines that `setup` prints. */
const usual = ['openai', 'openai-codex', 'anthropic']

/** Databases that hold profiles since 2026.9: one for all agents, one for each. */
const queries = { shared: 'SELECT value_json AS json FROM config_machine_state WHERE state_key = \'authProfiles.store\'', agent: 'SELECT store_json AS json FROM auth_profile_store' }

function inDatabase ({ path, query }: { path: string, query: string }, env: Env, sqlite: Sqlite | undefined, wanted: Wanted): Finding[] {
  const file = shown(path, env)
  const look = subject('openclaw.login', file)
  if (sqlite === undefined) return [look.note('is a database that this version of Node cannot read', 'openclaw models status')]
  try {
    return readRow(sqlite, path, query).flatMap(json => profiles(tableOf(json5.parse(json)), file, wanted))
  } catch {
    return [look.note('cannot be read as a database of profiles', 'openclaw models status')]
  }
}

/**
 * Looks at OpenClaw's logins: in databases since 2026.9, in a file of each agent before.
 * @param sqlite what reads them; undefined where nothing on this machine does
 * @param more providers of one's own that lead here
 * @param found told of each
 */
export function openclawLogins (env: Env, sqlite: Sqlite | undefined, more: readonly string[] = [], found: OnLogin = () => {}): Finding[] {
  const wanted = { providers: [...usual, ...more], found }
  const { state } = openclawFiles(env)
  const agents = join(state, 'agents')
  const folders = existsSync(agents) ? readdirSync(agents).sort().map(name => join(agents, name, 'agent')) : []
  const databases = [{ path: join(state, 'state', 'openclaw.sqlite'), query: queries.shared }, ...folders.map(folder => ({ path: join(folder, 'openclaw-agent.sqlite'), query: queries.agent }))]
  const present = databases.filter(({ path }) => existsSync(path))
  if (present.length > 0) return present.flatMap(database => inDatabase(database, env, sqlite, wanted))
  return folders.flatMap(folder => {
    const path = join(folder, 'auth-profiles.json')
    const file = shown(path, env)
    const { content = {}, fault } = readClientFile(path, subject('openclaw.login', file), json5.parse)
    return fault === undefined ? profiles(content, file, wanted) : [fault]
  })
}
