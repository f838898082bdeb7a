import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import json5 from 'json5'
import { readClientFile, tableOf, textOf, type Table } from '../clients/client-file.ts'
import { subject, type Finding } from '../finding.ts'
import { openclawFiles, shown } from '../home.ts'
import { endOf, judgeLogin } from './login.ts'
import { readRow, type Sqlite } from './sqlite.ts'

type Env = Readonly<Record<string, string | undefined>>

/** ms since 1970 before which no login can have ended: what is less stands for something else. */
const EARLIEST = Date.UTC(2020, 0)

/** Findings about the logins in one store of profiles. */
function profiles (store: Table, file: string): Finding[] {
  return Object.entries(tableOf(store['profiles'])).flatMap(([id, value]) => {
    const { type, provider, access, token, expires } = tableOf(value)
    const look = subject('openclaw.login', `${file} profile ${id}`)
    if (!/^(?:openai|openai-codex|anthropic)$/.test(String(provider))) return []
    if (type === 'api_key') return [look.note('is an API key; only the upstream knows whether it holds')]
    const end = typeof expires === 'number' && expires > EARLIEST ? expires : endOf(textOf(access) ?? textOf(token))
    return [judgeLogin(look, end, `openclaw models auth login --provider ${String(provider)}`)]
  })
}

/** Databases that hold profiles since 2026.9: one for all agents, one for each. */
const queries = { shared: 'SELECT value_json AS json FROM config_machine_state WHERE state_key = \'authProfiles.store\'', agent: 'SELECT store_json AS json FROM auth_profile_store' }

function inDatabase (path: string, query: string, env: Env, sqlite: Sqlite | undefined): Finding[] {
  const file = shown(path, env)
  const look = subject('openclaw.login', file)
  if (sqlite === undefined) return [look.note('is a database that this version of Node cannot read', 'openclaw models status')]
  try {
    return readRow(sqlite, path, query).flatMap(json => profiles(tableOf(json5.parse(json)), file))
  } catch {
    return [look.note('cannot be read as a database of profiles', 'openclaw models status')]
  }
}

/**
 * Looks at OpenClaw's logins: in databases since 2026.9, in a file of each agent before.
 * @param sqlite Node's own, which Node 20 does not have
 */
export function openclawLogins (env: Env, sqlite: Sqlite | undefined): Finding[] {
  const { state } = openclawFiles(env)
  const agents = join(state, 'agents')
  const folders = existsSync(agents) ? readdirSync(agents).sort().map(name => join(agents, name, 'agent')) : []
  const databases = [{ path: join(state, 'state', 'openclaw.sqlite'), query: queries.shared }, ...folders.map(folder => ({ path: join(folder, 'openclaw-agent.sqlite'), query: queries.agent }))]
  const present = databases.filter(({ path }) => existsSync(path))
  if (present.length > 0) return present.flatMap(({ path, query }) => inDatabase(path, query, env, sqlite))
  return folders.flatMap(folder => {
    const path = join(folder, 'auth-profiles.json')
    const file = shown(path, env)
    const { content = {}, fault } = readClientFile(path, subject('openclaw.login', file), json5.parse)
    return fault === undefined ? profiles(content, file) : [fault]
  })
}
