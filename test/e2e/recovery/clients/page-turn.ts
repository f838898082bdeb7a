import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'

// One turn from a web page: page-turn.ts KIND MODULES URL KEY HOME. The page has an origin of its own; what it says goes to stdout.

const [kind = '', modules = '', url = '', key = '', home = ''] = process.argv.slice(2)

const openai = `import OpenAI from 'openai'
const client = new OpenAI({ baseURL: url + '/v1', apiKey: key, dangerouslyAllowBrowser: true })`
const anthropic = `import Anthropic from '@anthropic-ai/sdk'
const client = new Anthropic({ baseURL: url, apiKey: key, dangerouslyAllowBrowser: true })`
const messages = '[{ role: \'user\', content: \'Say hello\' }]'

/** What the page runs; `show` and `fail` tell what its user would see. */
const scripts: Readonly<Record<string, string>> = {
  chat: `${openai}
const turn = async () => { for await (const { choices } of await client.chat.completions.create({ model: 'gpt-5.4', messages: ${messages}, stream: true })) show(choices[0]?.delta?.content ?? '') }`,
  responses: `${openai}
const turn = async () => {
  for await (const event of await client.responses.create({ model: 'gpt-5.4', input: 'Say hello', stream: true })) {
    if (event.type === 'response.output_text.delta') show(event.delta)
    if (event.type === 'response.failed') throw new Error(event.response.error?.message)
  }
}`,
  upload: `${openai}
const turn = async () => show('uploaded ' + (await client.files.create({ file: new File(['hello'], 'a.txt'), purpose: 'user_data' })).id)`,
  // As the SDK's own Realtime client does it; that one speaks to wss only.
  realtime: `const turn = () => new Promise((resolve, reject) => {
  const session = new WebSocket(url.replace('http', 'ws') + '/v1/realtime?model=gpt-realtime', ['realtime', 'openai-insecure-api-key.' + key])
  session.onopen = () => session.send(JSON.stringify({ type: 'response.create' }))
  session.onclose = ({ code, reason }) => reject(new Error('closed ' + code + ' ' + reason))
  session.onmessage = ({ data }) => {
    const message = JSON.parse(data)
    if (message.type === 'response.output_text.delta') show(message.delta)
    if (message.type === 'error') reject(new Error(message.error.message))
    if (message.type === 'response.done') resolve()
  }
})`,
  messages: `${anthropic}
const turn = async () => {
  const stream = client.messages.stream({ model: 'claude-sonnet-4-5', max_tokens: 100, messages: ${messages} })
  stream.on('text', show)
  await stream.finalMessage()
}`
}

const { outputFiles: [bundle] } = await build({
  stdin: { contents: `const [url, key] = ${JSON.stringify([url, key])}\n${scripts[kind] ?? ''}\nturn().then(() => done(''), error => done(error?.constructor?.name + ': ' + error?.message))`, resolveDir: dirname(modules) },
  bundle: true, write: false, format: 'iife', platform: 'browser', logLevel: 'silent'
})

const site = createServer((request, response) => {
  const script = request.url === '/script.js'
  response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html' })
  response.end(script ? bundle?.text : '<!doctype html><title>a page</title><script defer src="/script.js"></script>')
}).listen(0, '127.0.0.1')
await once(site, 'listening')

const context = await chromium.launchPersistentContext(`${home}/profile`, {
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
})
const page = context.pages()[0] ?? await context.newPage()
const ended = new Promise<string>(resolve => { context.exposeFunction('done', resolve) })
await context.exposeFunction('show', (text: string) => { process.stdout.write(text) })
page.on('console', message => { if (message.type() === 'error') console.error(message.text()) })
page.on('pageerror', error => { console.error(error.message) })
await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`)
const failure = await ended
if (failure !== '') console.error(failure)
await context.close()
process.exit(failure === '' ? 0 : 1)
