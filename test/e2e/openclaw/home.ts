import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Tokens by the provider that they are for; `main` is the main agent's. */
export type Logins = Readonly<{ main: string } & Record<string, string>>

/** How one version of OpenClaw names the Codex route, and the end of its base URL. */
interface Dialect {
  readonly provider: string
  readonly api: string
  readonly end: string
  /** Settings that only this version knows: what makes requests of its own accord is off. */
  readonly quiet: { models: object, defaults: object }
}

const dialectOf = (version: string): Dialect => version.startsWith('2026.4.')
  ? { provider: 'openai-codex', api: 'openai-codex-responses', end: '', quiet: { models: {}, defaults: {} } }
  : { provider: 'openai', api: 'openai-chatgpt-responses', end: '/codex', quiet: { models: { catalogRefresh: { enabled: false } }, defaults: { utilityModel: '' } } }

export const MODEL = 'gpt-5.4'

const model = { id: MODEL, name: MODEL }

export interface HomeOptions {
  version: string
  /** Base URLs for the main agent and for helpers, without the part that depends on the version. */
  baseUrls: Readonly<Record<'main' | 'helper', string>>
  logins: Logins
  port: number
  token: string
  /** Whether the tokens stand in the profiles themselves, as `openclaw models auth login` leaves them, instead of in a file that is read again. */
  plain?: boolean | undefined
  /** What else is to be changed in its configuration. */
  adapt?: ((config: Config) => object) | undefined
}

/** What tests change in OpenClaw's configuration. */
export interface Config {
  [setting: string]: unknown
  models: { providers: Record<string, object> }
  agents: { defaults: { model: { primary: string, fallbacks?: readonly string[] }, models: object } & Record<string, unknown> }
  plugins: { allow: string[] }
}

/** A throw-away home: state, configuration, and the two logins in a file that `secrets.reload` reads again. */
export async function writeHome (t: Pick<Test, 'teardown'>, { version, baseUrls, logins, port, token, plain = false, adapt = config => config }: HomeOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'openclaw-e2e-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const { provider, api, end, quiet } = dialectOf(version)
  const [state, workspace, secrets] = [join(folder, 'state'), join(folder, 'workspace'), join(folder, 'tokens.json')]
  const agent = join(state, 'agents', 'main', 'agent')
  await mkdir(agent, { recursive: true })
  await mkdir(workspace)
  const write = (tokens: Logins): Promise<void> => writeFile(secrets, JSON.stringify(tokens), { mode: 0o600 })
  await write(logins)
  const { main: _, ...helpers } = logins
  const names: [login: string, provider: string][] = [['main', provider], ...Object.keys(helpers).map((name): [string, string] => [name, name])]
  const profiles = names.map(([login, provider]) => [`${provider}:default`, { type: 'token', provider, ...plain ? { token: logins[login] } : { tokenRef: { source: 'file', provider: 'tokens', id: `/${login}` } } }])
  const providers = names.map(([login, provider]) => [provider, { baseUrl: `${login === 'main' ? baseUrls.main : baseUrls.helper}${end}`, api, models: [model] }])
  await writeFile(join(agent, 'auth-profiles.json'), JSON.stringify({ version: 1, profiles: Object.fromEntries(profiles) as object }), { mode: 0o600 })
  const config = join(folder, 'openclaw.json')
  await writeFile(config, JSON.stringify(adapt({
    gateway: { mode: 'local', bind: 'loopback', port, auth: { mode: 'token', token }, controlUi: { enabled: false }, reload: { mode: 'off' } },
    update: { checkOnStart: false, auto: { enabled: false } },
    discovery: { mdns: { mode: 'off' } },
    cron: { enabled: false },
    secrets: { providers: { tokens: { source: 'file', path: secrets, mode: 'json' } } },
    logging: { file: join(folder, 'openclaw.log') },
    models: {
      ...quiet.models,
      providers: Object.fromEntries(providers) as Record<string, object>
    },
    agents: {
      defaults: {
        ...quiet.defaults,
        workspace,
        skipBootstrap: true,
        heartbeat: { every: '0m' },
        model: { primary: `${provider}/${MODEL}` },
        models: Object.fromEntries(names.map(([, provider]) => [`${provider}/${MODEL}`, {}]))
      }
    },
    plugins: { allow: ['openai'] }
  })), { mode: 0o600 })
  return { folder, state, config, workspace, provider, write }
}
