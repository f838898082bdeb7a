import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** What is used of `node:sqlite`, which the Node has that runs this, and the types of the oldest one have not. */
interface Database {
  exec: (sql: string) => void
  prepare: (sql: string) => { all: (...values: string[]) => { text: string }[] }
  close: () => void
}
const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as { DatabaseSync: new (path: string) => Database }

/** For how long OpenClaw leaves a login alone. */
export interface Bench { readonly seconds: number, readonly reason: string }

interface Usage { readonly cooldownUntil?: number, readonly disabledUntil?: number, readonly cooldownReason?: string, readonly disabledReason?: string }
interface State { readonly usageStats?: Readonly<Record<string, Usage>> }

const filesOf = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name))

/** Databases of a state folder that keep what is known of logins (2026.9), and files that do (2026.4). */
function places (folder: string): { databases: string[], files: string[] } {
  const all = filesOf(folder)
  return { databases: all.filter(name => /\/openclaw(?:-agent)?\.sqlite$/.test(name)), files: all.filter(name => name.endsWith('/auth-state.json') || name.endsWith('/auth-profiles.json')) }
}

/** Where 2026.9 keeps it: with an agent, or with all of them. */
const tables = [
  { table: 'auth_profile_state', column: 'state_json', rows: '1 = 1' },
  { table: 'config_machine_state', column: 'value_json', rows: 'state_key = \'authProfiles.state\'' }
]

/** Does something with each table of each database that may hold it. */
function inEach (databases: readonly string[], work: (database: Database, where: typeof tables[number]) => string[]): string[] {
  return databases.flatMap(path => {
    const database = new DatabaseSync(path)
    try {
      database.exec('PRAGMA busy_timeout = 5000')
      return tables.filter(({ table }) => database.prepare('SELECT name AS text FROM sqlite_master WHERE name = ?').all(table).length > 0).flatMap(where => work(database, where))
    } finally {
      database.close()
    }
  })
}

function statesOf (folder: string): State[] {
  const { databases, files } = places(folder)
  const rows = inEach(databases, (database, { table, column, rows }) => database.prepare(`SELECT ${column} AS text FROM ${table} WHERE ${rows}`).all().map(({ text }) => text))
  return [...rows, ...files.map(file => readFileSync(file, 'utf8'))].map(text => JSON.parse(text) as State)
}

/** The longest that a login is benched from now on; undefined where none is. */
export function benched (folder: string): Bench | undefined {
  const now = Date.now()
  const all = statesOf(folder).flatMap(({ usageStats = {} }) => Object.values(usageStats)).map(({ cooldownUntil = 0, disabledUntil = 0, cooldownReason = '', disabledReason = '' }): Bench => ({
    seconds: Math.round((Math.max(cooldownUntil, disabledUntil) - now) / 1000), reason: disabledUntil > cooldownUntil ? disabledReason : cooldownReason
  }))
  return all.filter(({ seconds }) => seconds > 0).sort((a, b) => b.seconds - a.seconds)[0]
}

/** Forgets on disk what was held against any login; the gateway reads it at its next `secrets.reload`. */
export function forgive (folder: string): void {
  const { databases, files } = places(folder)
  inEach(databases, (database, { table, rows }) => {
    database.exec(`DELETE FROM ${table} WHERE ${rows}`)
    return []
  })
  for (const file of files) {
    const { usageStats, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as State
    if (usageStats !== undefined) writeFileSync(file, JSON.stringify(rest), { mode: 0o600 })
  }
}
