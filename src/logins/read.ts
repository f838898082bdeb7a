import { open, readFile, readdir, stat } from 'node:fs/promises'
import type { ClientFolders } from '../config/home.ts'
import { jsonObject, type Table } from '../wire/json.ts'
import { claudeLogin, codexTokens, openclawProfiles } from './kept.ts'
import { readRow, type Sqlite } from './sqlite.ts'
import { agentsFolder, openclawStores, singleStores, type Database, type LoginClient, type Store } from './stores.ts'

/** Bytes of a file that is read: a login has some thousands. A pipe or a device is none. */
const LARGEST = 1 << 20
/** Logins of one file that are looked at. */
const MOST = 100

const tokensIn: Readonly<Record<LoginClient, (content: Table) => readonly (string | undefined)[]>> = {
  codex: content => { const { apiKey, access } = codexTokens(content); return [apiKey ?? access] },
  openclaw: content => openclawProfiles(content).map(({ token }) => token),
  claude: content => [claudeLogin(content).token]
}

/** A file that is there, and when it was changed. */
export interface Present { readonly store: Store | Database, readonly changedAt: number, /** Another one after each change. */ readonly state: string }

/**
 * Asks about one thing after the other. Where a home folder hangs, on a network, each question takes one of the four threads
 * by which the names of upstreams are looked up too: four at once, and no good request would get there any more.
 */
export async function inTurn<A, B> (items: readonly A[], ask: (item: A) => Promise<B>): Promise<B[]> {
  const answers: B[] = []
  for (const item of items) answers.push(await ask(item))
  return answers
}

const look = async (path: string) => await stat(path).catch(() => undefined)

/** Undefined where there is nothing that can be read. SQLite writes beside its file first. */
async function presentAt (store: Store | Database): Promise<Present | undefined> {
  const file = await look(store.path)
  if (file?.isFile() !== true || (!('query' in store) && file.size > LARGEST)) return undefined
  const beside = 'query' in store ? await look(`${store.path}-wal`) : undefined
  if (beside?.isFile() === false) return undefined // it would be opened too, and a pipe never opens
  return { store, changedAt: file.ctimeMs, state: [file, beside].map(one => `${one?.ino} ${one?.size} ${one?.mtimeMs} ${one?.ctimeMs}`).join() }
}

/** The files that are there. */
export async function presentStores (folders: ClientFolders): Promise<Present[]> {
  const { databases, files } = openclawStores(folders.openclaw, await readdir(agentsFolder(folders.openclaw)).catch(() => []))
  const among = async (stores: readonly (Store | Database)[]): Promise<Present[]> => (await inTurn(stores, presentAt)).filter(one => one !== undefined)
  const single = await among(singleStores(folders))
  const kept = await among(databases)
  return [...single, ...kept.length > 0 ? kept : await among(files)]
}

async function textsIn (store: Store | Database, sqlite: () => Sqlite | undefined): Promise<string[]> {
  if (!('query' in store)) return [await readFile(store.path, 'utf8')]
  // SQLite works in this thread, where everybody waits for it: a disk that hangs does so before, in another one.
  await (await open(store.path)).close()
  const reader = sqlite()
  return reader === undefined ? [] : readRow(reader, store.path, store.query)
}

/**
 * Reads the tokens in a file; none where it can not be read, or is being written just now.
 * @param sqlite gives what reads databases
 */
export async function readTokens ({ store }: Present, sqlite: () => Sqlite | undefined): Promise<string[]> {
  try {
    return (await textsIn(store, sqlite)).flatMap(text => tokensIn[store.client](jsonObject(text) ?? {})).filter(token => token !== undefined).slice(0, MOST)
  } catch {
    return []
  }
}
