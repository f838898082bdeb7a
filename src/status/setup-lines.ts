/** Base URLs for clients, one for each way that a client builds its paths. */
interface BaseUrls { readonly codex: string, readonly backendApi: string, readonly v1: string, readonly root: string }

/** Instructions for a client: what they are for and where they go, and the lines themselves, none where there is only something to know. */
export interface Recipe {
  /** Prefix of the route that it needs; empty where it needs none. */
  readonly needs: string
  readonly heading: string
  readonly lines: readonly string[]
}

/** OpenClaw up to 2026.4 demands `models`; an empty list keeps the models it knows. */
function openclaw ({ codex, backendApi, v1, root }: BaseUrls): Recipe[] {
  const provider = (heading: string, needs: string, name: string, entry: object): Recipe =>
    ({ needs, heading, lines: [JSON.stringify({ models: { providers: { [name]: entry } } })] })
  return [
    provider('ChatGPT login, OpenClaw 2026.9 (in ~/.openclaw/openclaw.json, merged into what is there):', '/backend-api', 'openai', { baseUrl: codex, api: 'openai-chatgpt-responses' }),
    provider('ChatGPT login, OpenClaw 2026.4:', '/backend-api', 'openai-codex', { baseUrl: backendApi, api: 'openai-codex-responses', models: [] }),
    provider('OpenAI API key:', '/v1', 'openai', { baseUrl: v1, api: 'openai-responses', models: [] }),
    provider('Anthropic:', '/v1/messages', 'anthropic', { baseUrl: root, api: 'anthropic-messages', models: [] })
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

const openai = ({ v1 }: BaseUrls): Recipe[] =>
  [{ needs: '/v1', heading: 'In the client\'s environment, or as baseURL in its code:', lines: [`export OPENAI_BASE_URL="${v1}"`] }]

const anthropic = ({ root }: BaseUrls): Recipe[] =>
  [{ needs: '/v1/messages', heading: 'In the client\'s environment, or as baseURL in its code (no /v1 at the end):', lines: [`export ANTHROPIC_BASE_URL="${root}"`] }]

/** Instructions for each client that is known, by its name. */
export const recipes: Readonly<Record<string, (urls: BaseUrls) => readonly Recipe[]>> = { openclaw, codex, openai, anthropic }

/** @param origin where clients reach the listener, without a last slash */
export const baseUrls = (origin: string): BaseUrls =>
  ({ codex: `${origin}/backend-api/codex`, backendApi: `${origin}/backend-api`, v1: `${origin}/v1`, root: origin })

/** Those of a client's instructions that a configuration with these routes can use; none where it has no route for that client. */
export function usableRecipes (all: readonly Recipe[], prefixes: readonly string[]): readonly Recipe[] {
  const usable = all.filter(({ needs }) => needs === '' || prefixes.includes(needs))
  return usable.some(({ needs }) => needs !== '') ? usable : []
}
