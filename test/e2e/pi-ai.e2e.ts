import t from 'tap'
import { expiredJwt, jwt } from '../fixtures/token.ts'
import { bothWays } from './both-ways.ts'
import { installPiAi, loadPiAi } from './pi-ai.ts'
import { TEXT, type ProviderOptions } from './provider.ts'
import { SdkCalls } from './sdk-calls.ts'

// pi-ai, the library with which OpenClaw 2026.4 talks to its models, by each API that is routed here.

t.setTimeout(600_000) // the first run downloads it
t.before(installPiAi)

const calls = new SdkCalls('@mariozechner/pi-ai')
t.teardown(() => calls.print(t))

const [good, dead, expired] = [jwt({ jti: 'good' }), jwt({ jti: 'dead' }), expiredJwt()]
const takesGood: ProviderOptions = { takes: token => token === good }

/** Each API with the end of its base URL, and what else chooses a transport. */
const apis: Record<string, { api: string, base: string, options?: object }> = {
  'openai-responses': { api: 'openai-responses', base: '/v1' },
  'openai-completions': { api: 'openai-completions', base: '/v1' },
  'anthropic-messages': { api: 'anthropic-messages', base: '' },
  'openai-codex-responses': { api: 'openai-codex-responses', base: '/backend-api', options: { transport: 'sse' } },
  // It takes the WebSocket of Node itself, which Node 20 has not.
  ...('WebSocket' in globalThis ? { 'openai-codex-responses, WebSocket': { api: 'openai-codex-responses', base: '/backend-api', options: { transport: 'websocket' } } } : undefined)
}

/** One turn; its failure is thrown, as those who use pi-ai do. */
async function turn ({ api, base, options }: (typeof apis)[string], url: string, apiKey: string): Promise<string> {
  const { complete } = await loadPiAi()
  const model = {
    id: 'stand-in', name: 'stand-in', api, provider: 'stand-in', baseUrl: url + base, reasoning: false, input: ['text'],
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 128_000, maxTokens: 1000
  }
  const context = { messages: [{ role: 'user', content: 'Say hello', timestamp: Date.now() }] }
  const { content, stopReason, errorMessage } = await complete(model, context, { apiKey, ...options })
  if (stopReason === 'error') throw new Error(errorMessage)
  return content.map(({ text }) => text ?? '').join('')
}

for (const [name, api] of Object.entries(apis)) {
  t.test(`${name}: a good turn`, async t => {
    const { straight, sidecar } = await bothWays(t, takesGood)
    for (const way of [straight, sidecar]) {
      const { text } = await calls.make(`${name}, good turn`, '', way, () => turn(api, way.url, good))
      t.equal(text, TEXT, `${way.name}: the whole answer`)
    }
  })

  t.test(`${name}: a dead token`, async t => {
    const { straight, sidecar } = await bothWays(t, takesGood)
    // Where pi-ai repeats a 401 for 7 s, what the upstream said once may have to be asked again.
    for (const [what, token, most] of [['dead token', dead, 1], ['dead token, again', dead, 1], ['expired token', expired, 1]] as const) {
      const without = await calls.make(`${name}, ${what}`, '', straight, () => turn(api, straight.url, token))
      t.type(without.error, Error, `straight, ${what}: it fails`)
      const through = await calls.make(`${name}, ${what}`, '', sidecar, () => turn(api, sidecar.url, token))
      t.type(through.error, Error, `sidecar, ${what}: it fails`)
      if (what !== 'dead token') t.match(through.error, { message: /[Ii]nvalid (?:bearer token|x-api-key) - .*Sign in again/ }, `sidecar, ${what}: it says cause and remedy`)
      t.ok(through.saw <= most, `sidecar, ${what}: the upstream is asked ${most} times at most`)
    }
    const { text } = await calls.make(`${name}, good token after it`, '', sidecar, () => turn(api, sidecar.url, good))
    t.equal(text, TEXT, 'sidecar: a good token is not held up by a dead one')
  })

  t.test(`${name}: half a stream that ends in order`, async t => {
    const { straight, sidecar } = await bothWays(t, { ...takesGood, halves: Infinity })
    const without = await calls.make(`${name}, half a stream`, '', straight, () => turn(api, straight.url, good))
    t.comment(`straight: ${without.error instanceof Error ? without.error.message : `success: "${without.text ?? ''}"`}`)
    const through = await calls.make(`${name}, half a stream`, '', sidecar, () => turn(api, sidecar.url, good))
    t.match(through.error, { message: /terminated|Upstream connection error|ended without|Connection error/ }, 'sidecar: the cut is an error')
  })
}
