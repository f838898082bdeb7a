import OpenAI, { AuthenticationError } from 'openai'
import t, { type Test } from 'tap'
import { expiredJwt } from '../fixtures/token.ts'
import { bothWays, type Way } from './both-ways.ts'
import { DEAD, GOOD, TEXT } from './provider.ts'
import { SdkCalls, type Outcome } from './sdk-calls.ts'

const calls = new SdkCalls('openai')
t.teardown(() => calls.print(t))

/** The two APIs, each way of calling them: the text that the caller ends up with. */
const apis: Record<string, Record<string, (client: OpenAI) => Promise<string>>> = {
  responses: {
    json: async client => (await client.responses.create({ model: 'stand-in', input: 'Say hello' })).output_text,
    events: async client => {
      let text = ''
      for await (const event of await client.responses.create({ model: 'stand-in', input: 'Say hello', stream: true })) {
        if (event.type === 'response.output_text.delta') text += event.delta
      }
      return text
    },
    'stream helper': async client => (await client.responses.stream({ model: 'stand-in', input: 'Say hello' }).finalResponse()).output_text
  },
  chat: {
    json: async client => (await client.chat.completions.create({ model: 'stand-in', messages: [{ role: 'user', content: 'Say hello' }] })).choices[0]?.message.content ?? '',
    events: async client => {
      let text = ''
      for await (const chunk of await client.chat.completions.create({ model: 'stand-in', messages: [{ role: 'user', content: 'Say hello' }], stream: true })) {
        text += chunk.choices[0]?.delta.content ?? ''
      }
      return text
    },
    'stream helper': async client => await client.chat.completions.stream({ model: 'stand-in', messages: [{ role: 'user', content: 'Say hello' }] }).finalContent() ?? ''
  }
}

/** As users set it up, retries included, but deaf to this machine's environment. */
const clientFor = ({ url }: Way, apiKey: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey, organization: null, project: null })

function refusedByUs (t: Test, { error, sent }: Outcome, code: string, message: RegExp): void {
  if (!(error instanceof AuthenticationError)) return void t.fail('it is an AuthenticationError', { found: error })
  t.equal(error.code, code)
  t.match(error.message, message)
  t.match(error.requestID, /^[0-9a-f]{12}-\d+$/, 'it names our request id')
  t.equal(sent, 1, 'the SDK does not try again')
}

const expiredToken = expiredJwt()

for (const [api, forms] of Object.entries(apis)) {
  t.test(`${api}: a good turn`, async t => {
    const { straight, sidecar } = await bothWays(t)
    for (const way of [straight, sidecar]) {
      for (const [form, call] of Object.entries(forms)) {
        const { text } = await calls.make(`${api}, good turn`, form, way, () => call(clientFor(way, GOOD)))
        t.equal(text, TEXT, `${way.name}, ${form}: the whole answer`)
      }
      t.equal(way.upstream.turns, Object.keys(forms).length, `${way.name}: one turn each`)
    }
  })

  t.test(`${api}: a token that cannot be good`, async t => {
    const { straight, sidecar } = await bothWays(t)
    let asked = 0
    for (const [form, call] of Object.entries(forms)) {
      const without = await calls.make(`${api}, expired JWT`, form, straight, () => call(clientFor(straight, expiredToken)))
      t.type(without.error, AuthenticationError)
      t.equal(without.saw, 1, `straight, ${form}: the upstream is asked`)

      const through = await calls.make(`${api}, expired JWT`, form, sidecar, () => call(clientFor(sidecar, expiredToken)))
      refusedByUs(t, through, 'token_expired', /^401 Invalid bearer token - it expired at .* \(3 hours ago\)/)
      asked += through.saw
    }
    t.ok(asked <= 1, 'sidecar: the upstream is asked for the time at most')
    t.equal(sidecar.upstream.turns, 0)
  })

  t.test(`${api}: a dead key, again and again`, async t => {
    const { straight, sidecar } = await bothWays(t)
    let first = true
    for (const [form, call] of Object.entries(forms)) {
      const without = await calls.make(`${api}, dead key`, form, straight, () => call(clientFor(straight, DEAD)))
      t.type(without.error, AuthenticationError)
      t.equal(without.saw, 1, `straight, ${form}: the upstream is asked`)

      const through = await calls.make(`${api}, dead key`, form, sidecar, () => call(clientFor(sidecar, DEAD)))
      t.type(through.error, AuthenticationError)
      t.equal(through.saw, first ? 1 : 0, `sidecar, ${form}: the upstream is asked the first time only`)
      if (!first) refusedByUs(t, through, 'token_rejected', /^401 Invalid bearer token - the upstream rejected it/)
      first = false
    }
    for (const [form, call] of Object.entries(forms)) {
      const { text } = await calls.make(`${api}, good key after it`, form, sidecar, () => call(clientFor(sidecar, GOOD)))
      t.equal(text, TEXT, `sidecar, ${form}: a good key is not held up by a dead one`)
    }
  })

  t.test(`${api}: half a stream that ends in order`, async t => {
    const { straight, sidecar } = await bothWays(t, { halves: Infinity })
    for (const [form, call] of Object.entries(forms)) {
      if (form === 'json') continue
      const { text = '', error: complaint } = await calls.make(`${api}, half a stream`, form, straight, () => call(clientFor(straight, GOOD)))
      if (complaint === undefined) t.ok(text !== '' && text !== TEXT && TEXT.startsWith(text), `straight, ${form}: a cut answer is called a success`)
      else t.same([api, form], ['chat', 'stream helper'], 'straight: only this helper misses something, its finish_reason')

      const { error, sent } = await calls.make(`${api}, half a stream`, form, sidecar, () => call(clientFor(sidecar, GOOD)))
      t.match(error, { message: 'terminated' }, `sidecar, ${form}: the cut is an error`)
      t.equal(sent, 1)
    }
  })
}

t.test('a background response is read on from an event, and the stream ends while it is in progress: nothing is added', async t => {
  const { straight, sidecar } = await bothWays(t)
  const seen: unknown[][] = []
  for (const way of [straight, sidecar]) {
    const events: unknown[] = []
    for await (const event of await clientFor(way, GOOD).responses.retrieve('resp_1', { stream: true, starting_after: 42 })) events.push(event)
    seen.push(events)
  }
  t.equal(seen[0]?.length, 1)
  t.strictSame(seen[1], seen[0])
})
