/** How OpenClaw starts a program before the first request to its provider: `models.providers.X.localService`, since 2026.5. */
export interface LocalService { readonly command: string, readonly args: readonly string[], readonly healthUrl: string, readonly idleStopMs: number }

/** Base URLs for clients, one for each way that a client builds its paths. */
interface BaseUrls {
  readonly codex: string
  readonly backendApi: string
  readonly v1: string
  readonly root: string
  /** Where OpenClaw is to start us. */
  readonly localService?: LocalService | undefined
}

/** Instructions for a client: what they are for and where they go, and the lines themselves, none where there is only something to know. */
export interface Recipe {
  /** Prefix of the route that it needs; empty where it needs none. */
  readonly needs: string
  readonly heading: string
  readonly lines: readonly string[]
}

/** OpenClaw up to 2026.4 demands `models`; an empty list keeps the models it knows. It reaches loopback for images and sound only where it is told that it may. */
function openclaw ({ codex, backendApi, v1, root, localService }: BaseUrls): Recipe[] {
  const started = localService === undefined ? {} : { localService }
  const provider = (heading: string, needs: string, name: string, entry: object): Recipe =>
    ({ needs, heading, lines: [JSON.stringify({ models: { providers: { [name]: entry } } })] })
  return [
    provider('ChatGPT login, OpenClaw 2026.9 (in ~/.openclaw/openclaw.json, merged into what is there):', '/backend-api', 'openai', { baseUrl: codex, api: 'openai-chatgpt-responses', request: { allowPrivateNetwork: true }, ...started }),
    provider('ChatGPT login, OpenClaw 2026.4:', '/backend-api', 'openai-codex', { baseUrl: backendApi, api: 'openai-codex-responses', models: [] }),
    provider('OpenAI API key, OpenClaw 2026.9 (instead of the ChatGPT login: both have the name openai):', '/v1', 'openai', { baseUrl: v1, api: 'openai-responses', models: [], request: { allowPrivateNetwork: true }, ...started }),
    provider('OpenAI API key, OpenClaw 2026.4, or beside a ChatGPT login: a provider of its own name, with the models that you use:', '/v1', 'sidecar', { baseUrl: v1, api: 'openai-responses', models: [{ id: 'gpt-5.4', name: 'gpt-5.4' }] }),
    provider('Anthropic (2026.9 lists no models of a provider with a base URL but those that stand here; all work by their names):', '/v1/messages', 'anthropic', { baseUrl: root, api: 'anthropic-messages', models: [], ...started })
  ]
}

function codex ({ codex: chatgpt, v1 }: BaseUrls): Recipe[] {
  return [
    { needs: '/backend-api', heading: 'ChatGPT login (in ~/.codex/config.toml, above the first [table]):', lines: [`openai_base_url = "${chatgpt}"`] },
    { needs: '/v1', heading: 'API key (there too):', lines: [`openai_base_url = "${v1}"`] },
    {
      needs: '/v1',
      heading: 'A provider of your own (anywhere in it; choose it with model_provider = "sidecar" above the first [table]):',
      lines: ['[model_providers.sidecar]', 'name = "codex-sidecar"', `base_url = "${v1}"`, 'env_key = "OPENAI_API_KEY"', 'wire_api = "responses"']
    },
    { needs: '', heading: 'Leave chatgpt_base_url alone: pointed here, it makes Codex go past codex-sidecar or fail the turn.', lines: [] }
  ]
}

/** opencode and kilo, which descends from it: both add nothing to the base URL but the leaf, for Anthropic too. */
const opencode = (file: string) => ({ v1 }: BaseUrls): Recipe[] =>
  [['OpenAI', '/v1', 'openai'], ['Anthropic', '/v1/messages', 'anthropic']].map(([name, needs, id]) =>
    ({ needs: needs as string, heading: `${name} (in ${file}, merged into what is there):`, lines: [JSON.stringify({ provider: { [id as string]: { options: { baseURL: v1 } } } })] }))

const cline = ({ v1 }: BaseUrls): Recipe[] => [
  { needs: '/v1', heading: 'OpenAI, Responses (openai instead of openai-native for chat):', lines: [`cline auth -p openai-native -k "$OPENAI_API_KEY" -m MODEL -b ${v1}`] },
  { needs: '/v1/messages', heading: 'Anthropic (with /v1, in the settings of providers.anthropic in ~/.cline/data/settings/providers.json):', lines: [`"baseUrl": "${v1}"`] }
]

const continues = ({ v1 }: BaseUrls): Recipe[] =>
  [{ needs: '/v1', heading: 'OpenAI and Anthropic (in each of the models of ~/.continue/config.yaml):', lines: [`apiBase: ${v1}/`] }]

const claudeCode = ({ root }: BaseUrls): Recipe[] =>
  [{ needs: '/v1/messages', heading: 'In ~/.claude/settings.json, merged into what is there, or the variable alone in its environment (no /v1 at the end):', lines: [JSON.stringify({ env: { ANTHROPIC_BASE_URL: root } })] }]

const ai = ({ v1 }: BaseUrls): Recipe[] => [
  { needs: '/v1', heading: 'OpenAI: in its environment, or as baseURL of createOpenAI:', lines: [`export OPENAI_BASE_URL="${v1}"`] },
  { needs: '/v1/messages', heading: 'Anthropic: in its environment, or as baseURL of createAnthropic (with /v1, unlike Anthropic’s own SDK):', lines: [`export ANTHROPIC_BASE_URL="${v1}"`] }
]

const openai = ({ v1 }: BaseUrls): Recipe[] =>
  [{ needs: '/v1', heading: 'In the client\'s environment, or as baseURL in its code:', lines: [`export OPENAI_BASE_URL="${v1}"`] }]

const anthropic = ({ root }: BaseUrls): Recipe[] =>
  [{ needs: '/v1/messages', heading: 'In the client\'s environment, or as baseURL in its code (no /v1 at the end):', lines: [`export ANTHROPIC_BASE_URL="${root}"`] }]

/** Instructions for each client that is known, by its name. */
export const recipes: Readonly<Record<string, (urls: BaseUrls) => readonly Recipe[]>> = {
  openclaw, codex, openai, anthropic,
  'claude-code': claudeCode,
  opencode: opencode('~/.config/opencode/opencode.json'),
  kilo: opencode('~/.config/kilo/kilo.json'),
  cline,
  continue: continues,
  'qwen-code': openai,
  agents: openai,
  langchain: openai,
  ai
}

/**
 * @param origin where clients reach the listener, without a last slash
 * @param localService how OpenClaw is to start us, where it is to
 */
export const baseUrls = (origin: string, localService?: LocalService): BaseUrls =>
  ({ codex: `${origin}/backend-api/codex`, backendApi: `${origin}/backend-api`, v1: `${origin}/v1`, root: origin, localService })

/** Those of a client's instructions that a configuration with these routes can use; none where it has no route for that client. */
export function usableRecipes (all: readonly Recipe[], prefixes: readonly string[]): readonly Recipe[] {
  const usable = all.filter(({ needs }) => needs === '' || prefixes.includes(needs))
  return usable.some(({ needs }) => needs !== '') ? usable : []
}
