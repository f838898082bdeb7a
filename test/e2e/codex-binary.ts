import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { jwt } from '../fixtures/token.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'
import { cachedPackage } from './cached-package.ts'
import { ACCOUNT, type Chatgpt } from './chatgpt.ts'

export const CODEX = '0.169.0'

/** Installs the pinned Codex CLI, unless it is there. */
export async function installCodex (): Promise<void> { await cachedPackage('@openai/codex', CODEX) }

export interface CodexRun {
  exitCode: number | null
  /** From the start of the process to its end. */
  ms: number
  /** The model's last message. */
  stdout: string
  /** What the user sees on the terminal. */
  stderr: string
  /** Its error lines, each once. */
  errors: string[]
  /** Connections that it tried to make beyond the provider. */
  outside: number
}

/** A login of the built-in provider: an API key, or a made-up ChatGPT session. */
export type Login = { apiKey: string } | { accessToken: string, chatgpt: Chatgpt }

export interface CodexOptions {
  baseUrl: string
  /** Key of a provider of one's own, which speaks HTTP only; or else a login, with which Codex speaks WebSocket first. */
  as: { key: string } | Login
  /** Its home and its working folder are made in here; a folder of its own, which is removed, unless told. */
  folder?: string
  /** Milliseconds until it is ended from outside: with no network at all Codex waits for ever. */
  limit?: number
}

/** The built-in provider, pointed elsewhere, or one of one's own. */
const provider = ({ baseUrl, as }: CodexOptions): [top: string, table: string] => 'key' in as
  ? ['model_provider = "x"', `[model_providers.x]\nname = "x"\nbase_url = ${JSON.stringify(baseUrl)}\nenv_key = "X_KEY"\nwire_api = "responses"`]
  : [`openai_base_url = ${JSON.stringify(baseUrl)}\ncli_auth_credentials_store = "file"`, '']

/** A config.toml in which everything that would call home is off. */
export const config = ([top, table]: [string, string]): string => `
model = "stand-in"
${top}
check_for_update_on_startup = false

[analytics]
enabled = false

[otel]
metrics_exporter = "none"

[features]
plugins = false

${table}
`

/** What `codex login` leaves in auth.json. */
const auth = (login: Login): object => 'apiKey' in login
  ? { auth_mode: 'apikey', OPENAI_API_KEY: login.apiKey }
  : {
      auth_mode: 'chatgpt',
      OPENAI_API_KEY: null,
      tokens: { id_token: jwt({}, ACCOUNT), access_token: login.accessToken, refresh_token: 'made-up', account_id: ACCOUNT },
      last_refresh: new Date().toISOString()
    }

/** One `codex exec` turn with a home and a working folder of its own. */
export async function runCodex (t: Test, options: CodexOptions): Promise<CodexRun> {
  const { as, limit = 60_000, folder = await mkdtemp(join(tmpdir(), 'codex-e2e-')) } = options
  if (options.folder === undefined) t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [codexHome, work] = [join(folder, 'home'), join(folder, 'work')]
  await mkdir(codexHome)
  await mkdir(work)
  await writeFile(join(codexHome, 'config.toml'), config(provider(options)))
  if (!('key' in as)) await writeFile(join(codexHome, 'auth.json'), JSON.stringify(auth(as)))
  const chatgpt = 'chatgpt' in as ? as.chatgpt : undefined
  const ca = join(folder, 'ca.pem')
  if (chatgpt !== undefined) await writeFile(ca, chatgpt.ca)
  // Whatever is still meant for the network ends here and is counted.
  const trap = await startRawUpstream(t, socket => socket.destroy())
  const proxy = chatgpt?.proxy ?? trap.url

  const command = join(await cachedPackage('@openai/codex', CODEX), '.bin', 'codex')
  const started = performance.now()
  const child = spawn(command, ['exec', '--skip-git-repo-check', '--color', 'never', '-C', work, 'Say hello'], {
    cwd: work,
    timeout: limit,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: codexHome,
      CODEX_HOME: codexHome,
      ...('key' in as ? { X_KEY: as.key } : undefined),
      ...(chatgpt === undefined ? undefined : { CODEX_CA_CERTIFICATE: ca, CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${chatgpt.tokens}/oauth/token` }),
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      ALL_PROXY: proxy,
      NO_PROXY: '127.0.0.1'
    }
  })
  t.teardown(() => child.kill())
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  const [exitCode] = await once(child, 'close') as [number | null]
  const ms = Math.round(performance.now() - started)
  const errors = [...new Set(stderr.split('\n').filter(line => line.startsWith('ERROR: ')).map(line => line.slice(7)))]
  return { exitCode, ms, stdout, stderr, errors, outside: trap.connections + (chatgpt?.strangers ?? 0) }
}
