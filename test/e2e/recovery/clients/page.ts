import { join } from 'node:path'
import type { Protocol } from '../answer.ts'
import type { Client, Place, Program } from './client.ts'

const program = join(import.meta.dirname, 'page-turn.ts')

type Kind = 'chat' | 'responses' | 'realtime' | 'messages'

/** An SDK in a web page of another origin, in headless Chromium. */
function page (kind: Kind, pack: string): Client {
  const call = (what: string) => ({ url, key, home, modules }: Place): Program => ({ command: 'node', args: [program, what, modules, url, key, home], env: { NODE_NO_WARNINGS: '1' } })
  const protocol: Protocol = kind === 'realtime' ? 'responses' : kind
  return {
    name: `${pack.replace(/@([^@]+)$/, ' $1')} in Chromium, ${kind}`,
    provider: kind === 'messages' ? 'anthropic' : 'openai',
    protocol,
    packages: [pack],
    start: call(kind),
    ...(kind === 'responses' ? { upload: call('upload') } : {})
  }
}

export const pages: readonly Client[] = [
  ...(['chat', 'responses', 'realtime'] as const).map(kind => page(kind, 'openai@7.57.0')),
  page('messages', '@anthropic-ai/sdk@1.14.0')
]
