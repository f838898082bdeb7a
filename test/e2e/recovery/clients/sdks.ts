import { join } from 'node:path'
import type { Protocol } from '../answer.ts'
import type { Client, Place, Program } from './client.ts'

const program = join(import.meta.dirname, 'sdk-turn.ts')

function sdk (kind: string, protocol: Protocol | 'codex', packages: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}): Client {
  const call = (kind: string) => ({ url, key, modules }: Place): Program => ({
    command: 'node',
    args: [program, kind, protocol, modules, url, key],
    env: { OPENAI_AGENTS_DISABLE_TRACING: '1', LANGCHAIN_TRACING_V2: 'false', AI_SDK_LOG_WARNINGS: 'false', NODE_NO_WARNINGS: '1', ...env }
  })
  return {
    name: `${packages[0].replace(/@([^@]+)$/, ' $1')}, ${protocol}`,
    provider: protocol === 'codex' ? 'chatgpt' : protocol === 'messages' ? 'anthropic' : 'openai',
    protocol: protocol === 'codex' ? 'responses' : protocol,
    packages,
    start: call(kind),
    ...((protocol === 'responses' && (kind === 'openai' || kind === 'ai')) || kind === 'anthropic' || (kind === 'ai' && protocol === 'messages') ? { upload: call(`${kind} upload`) } : {})
  }
}

const openai = ['responses', 'chat'] as const
const all = [...openai, 'messages'] as const
const vercel = ['ai@7.0.173', '@ai-sdk/openai@4.0.118', '@ai-sdk/anthropic@4.0.105'] as const

export const sdks: readonly Client[] = [
  ...openai.map(protocol => sdk('openai', protocol, ['openai@7.57.0'])),
  ...openai.map(protocol => sdk('openai', protocol, ['openai@6.49.0'])),
  sdk('anthropic', 'messages', ['@anthropic-ai/sdk@1.14.0']),
  sdk('anthropic', 'messages', ['@anthropic-ai/sdk@0.137.0']),
  ...all.map(protocol => sdk('ai', protocol, vercel)),
  ...openai.map(protocol => sdk('langchain', protocol, ['@langchain/openai@1.6.0', '@langchain/core'])),
  ...openai.map(protocol => sdk('agents', protocol, ['@openai/agents@0.20.0', 'zod'])),
  sdk('codex-sdk', 'responses', ['@openai/codex-sdk@0.163.0']),
  ...([...all, 'codex'] as const).map(protocol => sdk('pi-ai', protocol, ['@mariozechner/pi-ai@0.73.1'], { PI_AI: '@mariozechner/pi-ai' })),
  ...(['@mariozechner/pi-ai@0.73.1', '@earendil-works/pi-ai@1.5.2'] as const).map(pack => ({ ...sdk('pi-ai', 'codex', [pack], { PI_AI: pack.replace(/@[^@]+$/, ''), PI_TRANSPORT: 'auto' }), name: `${pack}, codex, WebSocket` })),
  ...([...all, 'codex'] as const).map(protocol => sdk('pi-ai', protocol, ['@earendil-works/pi-ai@1.5.2'], { PI_AI: '@earendil-works/pi-ai' }))
]
