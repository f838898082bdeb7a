import { baseUrl, keeper } from './keeper.js'
import { explained } from './failure.js'

const ID = 'codex-sidecar'

export default {
  id: ID,
  name: ID,
  description: 'codex-sidecar before the Codex route',
  register ({ pluginConfig = {}, rootDir, logger, registerService, registerProvider }) {
    const { start, stop, started } = keeper(pluginConfig, rootDir, logger)
    registerService({ id: ID, start, stop })
    registerProvider({
      id: ID,
      label: 'OpenAI by codex-sidecar',
      auth: [],
      // Each model of OpenAI's, with what OpenClaw knows of it.
      resolveDynamicModel: ({ modelId, modelRegistry }) => ({
        name: modelId, reasoning: true, input: ['text', 'image'], cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 272_000, maxTokens: 128_000,
        ...modelRegistry.find('openai', modelId),
        id: modelId, provider: ID, api: 'openai-chatgpt-responses', baseUrl: baseUrl()
      }),
      wrapStreamFn: ({ streamFn }) => streamFn && (async (model, ...others) => {
        await started()
        return explained(await streamFn({ ...model, baseUrl: baseUrl() }, ...others))
      }),
      // OpenClaw's own "auth" would bench the login for everyone who uses it. This goes on to the next login and model, and benches nothing.
      classifyFailoverReason: ({ status, errorMessage }) => status === 401 || /^401\b/.test(errorMessage) ? 'empty_response' : undefined
    })
  }
}
