import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// One turn of an SDK as a program of its own: sdk-turn.ts KIND PROTOCOL MODULES URL KEY. The answer goes to stdout as it comes.

const [kind = '', protocol = '', modules = '', url = '', key = ''] = process.argv.slice(2)
const resolver = createRequire(`${modules}/of-a-test.cjs`)

/** A package of the client's own, of which nothing is known here but what is called: each SDK has its own types. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Library = any
/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument */

async function load (name: string): Promise<Library> {
  const entry = (() => { try { return resolver.resolve(name) } catch { return `${modules}/${name}/dist/index.js` } })() // some export nothing to require
  return await import(pathToFileURL(entry).href)
}

const model = protocol === 'messages' ? 'claude-sonnet-4-5' : 'gpt-5.4'
const ask = 'Say hello'
const messages = [{ role: 'user', content: ask }]
const show = (text: unknown): void => { if (typeof text === 'string') process.stdout.write(text) }

async function openaiClient (): Promise<Library> {
  const { default: OpenAI } = await load('openai')
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key })
}

async function anthropicClient (): Promise<Library> {
  const { default: Anthropic } = await load('@anthropic-ai/sdk')
  return new Anthropic({ baseURL: url, apiKey: key })
}

const vercelProvider = async (): Promise<Library> => protocol === 'messages'
  ? (await load('@ai-sdk/anthropic')).createAnthropic({ baseURL: `${url}/v1`, apiKey: key })
  : (await load('@ai-sdk/openai')).createOpenAI({ baseURL: `${url}/v1`, apiKey: key })

const kinds: Record<string, () => Promise<void>> = {
  async openai () {
    const client = await openaiClient()
    if (protocol === 'chat') {
      for await (const { choices } of await client.chat.completions.create({ model, messages, stream: true })) show(choices?.[0]?.delta?.content)
    } else {
      for await (const event of await client.responses.create({ model, input: ask, stream: true })) {
        if (event.type === 'response.output_text.delta') show(event.delta)
        if (event.type === 'response.failed') throw new Error(event.response.error?.message)
      }
    }
  },
  async 'openai upload' () {
    const { id } = await (await openaiClient()).files.create({ file: new File(['hello'], 'a.txt'), purpose: 'user_data' })
    show(`uploaded ${id}`)
  },
  async anthropic () {
    const stream = (await anthropicClient()).messages.stream({ model, max_tokens: 100, messages })
    stream.on('text', show)
    await stream.finalMessage()
  },
  async 'anthropic upload' () {
    const { beta } = await anthropicClient()
    const { id } = await beta.files.upload({ file: new File(['hello'], 'a.txt') })
    show(`uploaded ${id}`)
  },
  async ai () {
    const { streamText } = await load('ai')
    const provider = await vercelProvider()
    let failed: unknown
    const { fullStream } = streamText({ model: protocol === 'messages' ? provider(model) : provider[protocol](model), prompt: ask, onError: () => {} })
    for await (const part of fullStream) {
      if (part.type === 'text-delta') show(part.text)
      if (part.type === 'error') failed = part.error
    }
    if (failed !== undefined) throw failed as Error
  },
  async 'ai upload' () {
    const { uploadFile } = await load('ai')
    const { providerReference } = await uploadFile({ api: await vercelProvider(), data: Buffer.from('hello'), filename: 'a.txt', mediaType: 'text/plain' })
    show(`uploaded ${String(Object.values(providerReference)[0])}`)
  },
  async langchain () {
    const { ChatOpenAI } = await load('@langchain/openai')
    const chat = new ChatOpenAI({ model, apiKey: key, useResponsesApi: protocol === 'responses', configuration: { baseURL: `${url}/v1` } })
    for await (const { content } of await chat.stream(ask)) show(typeof content === 'string' ? content : content.map(({ text = '' }) => text).join(''))
  },
  async agents () {
    const { Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, setTracingDisabled } = await load('@openai/agents')
    setTracingDisabled(true)
    const client = await openaiClient()
    const agent = new Agent({ name: 'a', model: protocol === 'chat' ? new OpenAIChatCompletionsModel(client, model) : new OpenAIResponsesModel(client, model) })
    const result = await run(agent, ask, { stream: true })
    for await (const text of result.toTextStream()) show(text)
    await result.completed
  },
  async 'codex-sdk' () {
    const { Codex } = await load('@openai/codex-sdk')
    const codex = new Codex({
      baseUrl: `${url}/v1`, apiKey: key, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], CODEX_HOME: process.env['HOME'] },
      config: { check_for_update_on_startup: false, analytics: { enabled: false } }
    })
    const { finalResponse } = await codex.startThread({ skipGitRepoCheck: true, model: 'stand-in' }).run(ask)
    show(finalResponse)
  },
  async 'pi-ai' () {
    const home = `${modules}/${process.env['PI_AI'] ?? ''}/dist`
    const { complete } = await import(pathToFileURL(existsSync(`${home}/compat.js`) ? `${home}/compat.js` : `${home}/index.js`).href)
    const [api, end] = { responses: ['openai-responses', '/v1'], chat: ['openai-completions', '/v1'], messages: ['anthropic-messages', ''], codex: ['openai-codex-responses', '/backend-api'] }[protocol] ?? []
    const found = {
      id: model, name: model, api, provider: 'stand-in', baseUrl: `${url}${end ?? ''}`, reasoning: false, input: ['text'],
      cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 128_000, maxTokens: 1000
    }
    const context = { messages: [{ role: 'user', content: ask, timestamp: Date.now() }] }
    const { content, stopReason, errorMessage } = await complete(found, context, { apiKey: key, transport: process.env['PI_TRANSPORT'] ?? 'sse' })
    for (const { text } of content) show(text)
    if (stopReason === 'error') throw new Error(errorMessage)
  }
}

try {
  await kinds[kind]?.()
  process.exitCode = 0
} catch (thrown) {
  const error = thrown as Error
  console.error(`${error.constructor.name}: ${error.message}`)
  for (let cause = error.cause as NodeJS.ErrnoException | undefined; cause instanceof Error; cause = cause.cause as typeof cause) console.error(`  because of ${cause.code ?? ''} ${cause.message}`)
  process.exitCode = 1
}
process.exit()
