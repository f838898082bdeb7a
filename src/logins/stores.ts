import { join } from 'node:path'
import type { ClientFolders } from '../config/home.ts'
import { profileQueries } from './kept.ts'

/** Clients whose files are known. */
export type LoginClient = 'codex' | 'openclaw' | 'claude'

/** A file in which a client keeps logins. */
export interface Store { readonly client: LoginClient, readonly path: string }

/** A database in which one does. */
export interface Database extends Store { readonly query: string }

/** Agents of OpenClaw that are looked at. */
const AGENTS = 50

/** Where OpenClaw keeps a folder for each agent. */
export const agentsFolder = (state: string): string => join(state, 'agents')

/** Where OpenClaw may keep logins. A file means nothing once there is a database. */
export function openclawStores (state: string, agents: readonly string[]): { readonly databases: readonly Database[], readonly files: readonly Store[] } {
  const client = 'openclaw'
  const folders = [...agents].sort().slice(0, AGENTS).map(name => join(agentsFolder(state), name, 'agent'))
  return {
    databases: [
      { client, path: join(state, 'state', 'openclaw.sqlite'), query: profileQueries.shared },
      ...folders.map(folder => ({ client, path: join(folder, 'openclaw-agent.sqlite'), query: profileQueries.agent } as const))
    ],
    files: folders.map(folder => ({ client, path: join(folder, 'auth-profiles.json') }))
  }
}

/** Files of the clients that have one. */
export const singleStores = ({ codex, claude }: ClientFolders): readonly Store[] =>
  [{ client: 'codex', path: join(codex, 'auth.json') }, { client: 'claude', path: join(claude, '.credentials.json') }]
