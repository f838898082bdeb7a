import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import json5 from 'json5'
import { tableOf, textOf } from '../../../wire/json.ts'
import type { Sqlite } from '../../../logins/sqlite.ts'
import { readConfig, replaceConfig } from '../../setup/client-config.ts'
import { removeAt } from '../../setup/edit/json.ts'

// OpenClaw makes a catalog of each agent's models out of its configuration, base URLs included, and what stands there goes
// before the built-in ones (`shouldPreserveExistingBaseUrl`, 2026.4.9 and 2026.9.6): without us it would still come to us.

/** The catalogs of all agents that are files, also where there is none yet. */
export function catalogsOf (state: string): string[] {
  const agents = join(state, 'agents')
  return existsSync(agents) ? readdirSync(agents).map(name => join(agents, name, 'agent')).filter(existsSync).map(folder => join(folder, 'models.json')) : []
}

/**
 * Takes providers that lead here out of the catalogs that are files; OpenClaw makes them anew from what its configuration says then.
 * @throws the system's error, or the parser's
 */
export function forgetInFiles (catalogs: readonly string[], providers: readonly string[], isOurs: (url: string) => boolean): void {
  for (const file of catalogs.filter(existsSync)) {
    const current = readConfig(file)
    const entries = tableOf(json5.parse<Record<string, unknown>>(current.text)['providers'])
    const ours = providers.filter(name => isOurs(textOf(tableOf(entries[name])['baseUrl']) ?? ''))
    if (ours.length > 0) replaceConfig(current, ours.reduce((text, name) => removeAt(text, ['providers', name]), current.text))
  }
}

/** A text in SQL. */
const quoted = (text: string): string => `'${text.replaceAll('\'', '\'\'')}'`

/** Takes our origin out of the catalogs that 2026.9 keeps in its agents' databases; it makes them anew. @throws SQLite's error */
export function forgetInDatabases (catalogs: readonly string[], origin: string, sqlite: () => Sqlite | undefined): void {
  for (const path of catalogs.map(file => join(dirname(file), 'openclaw-agent.sqlite')).filter(existsSync)) {
    const Database = sqlite()?.DatabaseSync
    if (Database === undefined) throw new Error('no SQLite')
    const database = new Database(path, { readOnly: false })
    try {
      database.prepare(`DELETE FROM cache_entries WHERE scope = 'plugin-model-catalog-v1' AND instr(value_json, ${quoted(`${origin}/`)}) > 0`).all()
    } finally {
      database.close()
    }
  }
}
