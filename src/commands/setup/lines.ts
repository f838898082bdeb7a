import type { Config } from '../../config.ts'
import { ownOrigin } from '../own-address.ts'

/** Base URLs for clients, one for each way that a client builds its paths. */
export function baseUrls (config: Config) {
  const origin = ownOrigin(config)
  return { codex: `${origin}/backend-api/codex`, backendApi: `${origin}/backend-api`, v1: `${origin}/v1`, root: origin }
}

/** Instructions for a client: a heading, where the lines go, the lines. */
interface Recipe {
  /** Prefix of the route that it needs. */
  readonly needs: string
  readonly text: string
}

/** OpenClaw up to 2026.4 demands `models`; an empty list keeps the models it knows. */
function openclaw (config: Config): Recipe[] {
  const { codex, backendApi, v1, root } = baseUrls(config)
  const provider = (heading: string, needs: string, name: string, entry: object): Recipe =>
    ({ needs, text: `${heading}\n  ${JSON.stringify({ models: { providers: { [name]: entry } } })}\n` })
  return [
    provider('ChatGPT login, OpenClaw 2026.9 (in ~/.openclaw/openclaw.json, merged into what is there):', '/backend-api', 'openai', { baseUrl: codex, api: 'openai-chatgpt-responses' }),
    provider('ChatGPT login, OpenClaw 2026.4:', '/backend-api', 'openai-codex', { baseUrl: backendApi, api: 'openai-codex-responses', models: [] }),
    provider('OpenAI API key:', '/v1', 'openai', { baseUrl: v1, api: 'openai-responses', models: [] }),
    provider('Anthropic:', '/v1/messages', 'anthropic', { baseUrl: root, api: 'anthropic-messages', models: [] })
  ]
}

function codex (config: Config): Recipe[] {
  const { codex: chatgpt, v1 } = baseUrls(config)
  return [
    { needs: '/backend-api', text: `ChatGPT login (in ~/.codex/config.toml, above the first [table]):\n  openai_base_url = "${chatgpt}"\n` },
    { needs: '/v1', text: `API key (there too):\n  openai_base_url = "${v1}"\n` },
    { needs: '/v1', text: `A provider of your own (anywhere in it; choose it with model_provider = "sidecar" above the first [table]):\n  [model_providers.sidecar]\n  name = "codex-sidecar"\n  base_url = "${v1}"\n  env_key = "OPENAI_API_KEY"\n  wire_api = "responses"\n` },
    { needs: '', text: 'Leave chatgpt_base_url alone: pointed here, it makes Codex go past codex-sidecar or fail the turn.\n' }
  ]
}

const openai = (config: Config): Recipe[] =>
  [{ needs: '/v1', text: `In the client's environment, or as baseURL in its code:\n  export OPENAI_BASE_URL="${baseUrls(config).v1}"\n` }]

const anthropic = (config: Config): Recipe[] =>
  [{ needs: '/v1/messages', text: `In the client's environment, or as baseURL in its code (no /v1 at the end):\n  export ANTHROPIC_BASE_URL="${baseUrls(config).root}"\n` }]

/** Instructions for each client that is known. */
export const recipes: Readonly<Record<string, (config: Config) => readonly Recipe[]>> = { openclaw, codex, openai, anthropic }
