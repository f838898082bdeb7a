import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Protocol } from '../answer.ts'
import type { Provider } from '../providers.ts'
import { MODEL, PROMPT, type Client } from './client.ts'

const companyOf = (protocol: Protocol): Provider => protocol === 'messages' ? 'anthropic' : 'openai'
const tools = (body: string): boolean => body.includes('"tools":[{')

/** The Continue CLI: Responses for the models that it knows to speak it, else chat. */
const continues: readonly Client[] = ([['chat', 'gpt-4.1', 'openai'], ['responses', 'gpt-5', 'openai'], ['messages', 'claude-sonnet-4-5', 'anthropic']] as const).map(([protocol, model, provider]) => ({
  name: `Continue CLI 1.5.47, ${protocol}`,
  provider: companyOf(protocol),
  protocol,
  packages: ['@continuedev/cli@1.5.47'],
  start: async ({ url, key, home, modules }) => {
    const config = join(home, 'config.yaml')
    await writeFile(config, `name: of-a-test\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: m\n    provider: ${provider}\n    model: ${model}\n    apiBase: ${url}/v1/\n    apiKey: ${key}\n    roles: [chat]\n`)
    return {
      command: join(modules, '.bin', 'cn'),
      args: ['-p', PROMPT, '--config', config],
      env: { CONTINUE_TELEMETRY_ENABLED: '0', CONTINUE_METRICS_ENABLED: '0', CONTINUE_GLOBAL_DIR: join(home, 'continue') }
    }
  }
}))

interface Vercel { readonly protocol: Protocol, readonly provider: string, readonly npm?: string }

const vercels: readonly Vercel[] = [
  { protocol: 'responses', provider: 'openai' },
  { protocol: 'chat', provider: 'own', npm: '@ai-sdk/openai-compatible' },
  { protocol: 'messages', provider: 'anthropic' }
]

/** opencode and kilo, its descendant. */
const family = (name: string, pack: string, program: string, variable: string): readonly Client[] => vercels.map(({ protocol, provider, npm }) => ({
  name: `${name}, ${provider}${npm === undefined ? '' : ` (${npm.replace('@ai-sdk/', '')})`}`,
  provider: companyOf(protocol),
  protocol,
  packages: [pack],
  main: tools,
  start: ({ url, key, home, modules }) => {
    const config = {
      autoupdate: false, share: 'disabled',
      provider: { [provider]: { ...(npm && { npm }), options: { baseURL: `${url}/v1`, apiKey: key }, models: { [MODEL]: { name: MODEL, limit: { context: 100_000, output: 4000 } } } } }
    }
    return {
      command: join(modules, '.bin', program),
      args: ['run', '-m', `${provider}/${MODEL}`, PROMPT],
      env: {
        [`${variable}_CONFIG_CONTENT`]: JSON.stringify(config), [`${variable}_DISABLE_MODELS_FETCH`]: '1', [`${variable}_DISABLE_AUTOUPDATE`]: '1', [`${variable}_DISABLE_LSP_DOWNLOAD`]: '1',
        XDG_DATA_HOME: join(home, 'data'), XDG_CONFIG_HOME: join(home, 'config'), XDG_CACHE_HOME: join(home, 'cache'), XDG_STATE_HOME: join(home, 'state')
      }
    }
  }
}))

const qwen: readonly Client[] = [{
  name: 'qwen-code 0.24.4',
  provider: 'openai',
  protocol: 'chat',
  packages: ['@qwen-code/qwen-code@0.24.4'],
  main: tools,
  start: async ({ url, key, home, modules }) => {
    await mkdir(join(home, '.qwen'))
    await writeFile(join(home, '.qwen', 'settings.json'), JSON.stringify({ telemetry: { enabled: false }, privacy: { usageStatisticsEnabled: false }, general: { disableAutoUpdate: true, disableUpdateNag: true } }))
    return {
      command: join(modules, '.bin', 'qwen'),
      args: ['-p', PROMPT, '--auth-type', 'openai'],
      env: { OPENAI_API_KEY: key, OPENAI_BASE_URL: `${url}/v1`, OPENAI_MODEL: MODEL, QWEN_TELEMETRY_ENABLED: '0' }
    }
  }
}]

const clines: readonly Client[] = ([['openai-native', 'responses'], ['openai', 'chat']] as const).map(([provider, protocol]) => ({
  name: `cline 3.0.65, ${provider}`,
  provider: companyOf(protocol),
  protocol,
  packages: ['cline@3.0.65'],
  main: tools,
  start: ({ url, key, home, modules }) => ({
    command: 'sh',
    args: ['-c', '"$0" auth -p "$1" -k "$2" -m "$3" -b "$4" >/dev/null 2>&1; exec "$0" -P "$1" -k "$2" -m "$3" --retries 3 "$5"', join(modules, '.bin', 'cline'), provider, key, MODEL, `${url}/v1`, PROMPT],
    env: { CLINE_DIR: join(home, '.cline'), CLINE_TELEMETRY_DISABLED: '1', POSTHOG_DISABLED: '1' }
  })
}))

export const editors: readonly Client[] = [
  ...continues,
  ...family('opencode 1.18.33', 'opencode-ai@1.18.33', 'opencode', 'OPENCODE'),
  ...family('kilo 7.7.7', '@kilocode/cli@7.7.7', 'kilo', 'KILO'),
  ...qwen,
  ...clines
]
