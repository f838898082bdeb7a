import { readFileSync } from 'node:fs'
import { Agent, request, type Dispatcher } from 'undici'
import type { Config } from '../config/config.ts'
import type { Status } from '../status/status.ts'
import { jsonObject, tableOf, textOf } from '../wire/json.ts'
import { ownOrigin } from './own-address.ts'
import { printable } from './terminal.ts'

/** What the running one answered. */
export interface RunningAnswer { readonly status: number, readonly body: unknown }

/** Where the running one is: where its server info file says, if there is one, else at the configuration's address. */
export function runningOrigin (config: Config): string {
  try {
    const url = config.serverInfo === undefined ? undefined : jsonObject(readFileSync(config.serverInfo, 'utf8'))?.['url']
    return typeof url === 'string' ? url : ownOrigin(config)
  } catch {
    return ownOrigin(config) // it is there only while one runs
  }
}

export interface Question { readonly method?: Dispatcher.HttpMethod, readonly path: string, readonly headers?: readonly string[] }

/**
 * Asks the running one on its own paths.
 * @returns undefined where none answers there
 */
export async function askRunning (config: Config, { method = 'GET', path, headers = [] }: Question): Promise<RunningAnswer | undefined> {
  const patience = config.times.connect
  const dispatcher = new Agent({ connect: { timeout: patience } })
  const ask = async (): Promise<RunningAnswer> => {
    const { statusCode: status, body } = await request(`${runningOrigin(config)}${path}`, { method, headers: [...headers], dispatcher, headersTimeout: patience, bodyTimeout: patience })
    return { status, body: await body.json() }
  }
  return await ask().catch(() => undefined).finally(() => dispatcher.destroy())
}

/**
 * What the running one tells of itself; undefined where none answers, or something else does, or one of another version.
 * @param most credentials and verdicts
 */
export async function askStatus (config: Config, most: number): Promise<Status | undefined> {
  const { body } = await askRunning(config, { path: `/status?verdicts=${most}` }) ?? {}
  const { service, credentials, refusals, routes } = tableOf(body)
  const { salt, list } = tableOf(credentials)
  return service === 'codex-sidecar' && typeof salt === 'string' && [list, refusals, routes].every(Array.isArray) ? body as Status : undefined
}

/** For a person, where none answers. */
export const notRunning = (config: Config): string => `codex-sidecar: none answers at ${runningOrigin(config)}; codex-sidecar, or codex-sidecar service install, starts one\n`

/** The words of an answer in our own name. */
export const messageOf = ({ body }: RunningAnswer): string => printable(textOf(tableOf(tableOf(body)['error'])['message']) ?? 'it answered something else')
