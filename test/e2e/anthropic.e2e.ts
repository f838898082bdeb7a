import Anthropic, { AuthenticationError } from '@anthropic-ai/sdk'
import t from 'tap'
import { expiredJwt } from '../fixtures/token.ts'
import { bothWays, type Way } from './both-ways.ts'
import { DEAD, GOOD, TEXT } from './provider.ts'
import { SdkCalls } from './sdk-calls.ts'

const calls = new SdkCalls('@anthropic-ai/sdk')
t.teardown(() => calls.print(t))

const params: Anthropic.MessageCreateParamsNonStreaming = { model: 'stand-in', max_tokens: 64, messages: [{ role: 'user', content: 'Say hello' }] }
const textOf = ({ content }: Anthropic.Message): string => content.map(block => block.type === 'text' ? block.text : '').join('')

/** Each way of calling: the text that the caller ends up with. */
const forms: Record<string, (client: Anthropic) => Promise<string>> = {
  json: async client => textOf(await client.messages.create(params)),
  events: async client => {
    let text = ''
    for await (const event of await client.messages.create({ ...params, stream: true })) {
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
    }
    return text
  },
  'stream helper': async client => textOf(await client.messages.stream(params).finalMessage())
}

/**
 * As users set it up, retries included, but deaf to this machine's environment. Since 1.0 this SDK sends its `apiKey`
 * as a bearer token too; older ones send `x-api-key`, which this one does where it is told to.
 */
const clients: Record<string, { clientFor: (way: Way, secret: string) => Anthropic, field: 'authorization' | 'x-api-key' }> = {
  apiKey: { field: 'authorization', clientFor: ({ url }, secret) => new Anthropic({ baseURL: url, apiKey: secret }) },
  authToken: { field: 'authorization', clientFor: ({ url }, secret) => new Anthropic({ baseURL: url, authToken: secret }) },
  'x-api-key': { field: 'x-api-key', clientFor: ({ url }, secret) => new Anthropic({ baseURL: url, apiKey: null, authToken: null, defaultHeaders: { 'x-api-key': secret } }) }
}
const expiredToken = expiredJwt()

for (const [name, { clientFor, field }] of Object.entries(clients)) {
  t.test(`${name}: a good turn`, async t => {
    const { straight, sidecar } = await bothWays(t)
    for (const way of [straight, sidecar]) {
      for (const [form, call] of Object.entries(forms)) {
        const { text } = await calls.make(`${name}, good turn`, form, way, () => call(clientFor(way, GOOD)))
        t.equal(text, TEXT, `${way.name}, ${form}: the whole answer`)
      }
      t.equal(way.upstream.turns, Object.keys(forms).length, `${way.name}: one turn each`)
      for (const { headers } of way.upstream.seen) {
        t.match(headers[field], new RegExp(`^(?:Bearer )?${GOOD}$`), `${way.name}: the credential arrives in ${field}`)
        t.equal(headers[field === 'x-api-key' ? 'authorization' : 'x-api-key'], undefined, `${way.name}: and nowhere else`)
      }
    }
  })

  t.test(`${name}: a dead key`, async t => {
    const { straight, sidecar } = await bothWays(t)
    let first = true
    for (const [form, call] of Object.entries(forms)) {
      const without = await calls.make(`${name}, dead key`, form, straight, () => call(clientFor(straight, DEAD)))
      t.type(without.error, AuthenticationError)
      t.equal(without.saw, 1, `straight, ${form}: the upstream is asked`)

      const { error, sent, saw } = await calls.make(`${name}, dead key`, form, sidecar, () => call(clientFor(sidecar, DEAD)))
      if (!(error instanceof AuthenticationError)) return void t.fail('it is an AuthenticationError', { found: error })
      t.equal(error.type, 'authentication_error')
      t.equal(sent, 1, `sidecar, ${form}: the SDK does not try again`)
      t.equal(saw, first ? 1 : 0, `sidecar, ${form}: the upstream is asked the first time only`)
      if (!first) t.match(error.message, /[Ii]nvalid (?:bearer token|x-api-key) - the upstream rejected it/)
      first = false
    }
  })

  t.test(`${name}: an expired JWT`, async t => {
    const { straight, sidecar } = await bothWays(t)
    let asked = 0
    for (const [form, call] of Object.entries(forms)) {
      const without = await calls.make(`${name}, expired JWT`, form, straight, () => call(clientFor(straight, expiredToken)))
      t.equal(without.saw, 1, `straight, ${form}: the upstream is asked`)

      const { error, saw } = await calls.make(`${name}, expired JWT`, form, sidecar, () => call(clientFor(sidecar, expiredToken)))
      if (!(error instanceof AuthenticationError)) return void t.fail('it is an AuthenticationError', { found: error })
      t.match(error.message, /[Ii]nvalid (?:bearer token|x-api-key) - it expired at .* \(3 hours ago\)/)
      asked += saw
    }
    t.ok(asked <= 1, 'sidecar: the upstream is asked for the time at most')
    t.equal(sidecar.upstream.turns, 0)
  })

  t.test(`${name}: half a stream that ends in order`, async t => {
    const { straight, sidecar } = await bothWays(t, { halves: Infinity })
    for (const [form, call] of Object.entries(forms)) {
      if (form === 'json') continue
      const { text = '', error: complaint } = await calls.make(`${name}, half a stream`, form, straight, () => call(clientFor(straight, GOOD)))
      if (complaint === undefined) t.ok(text !== '' && text !== TEXT && TEXT.startsWith(text), `straight, ${form}: a cut answer is called a success`)
      else t.equal(form, 'stream helper', 'straight: only the helper misses something')

      const { error, sent } = await calls.make(`${name}, half a stream`, form, sidecar, () => call(clientFor(sidecar, GOOD)))
      t.match(error, { message: /terminated|Connection error|ended without/ }, `sidecar, ${form}: the cut is an error`)
      t.equal(sent, 1)
    }
  })
}
