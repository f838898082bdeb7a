import { setTimeout as later } from 'node:timers/promises'
import t from 'tap'

interface Message { readonly stopReason: string, readonly content: readonly object[], readonly errorMessage?: string }
interface Stream { result: () => Promise<Message>, [Symbol.asyncIterator]: () => AsyncIterator<{ type: string, error?: Message }> }

const { explained } = await import(new URL('../../config/openclaw-plugin/failure.js', import.meta.url).href) as { explained: <T> (stream: T) => T }

/** A stream of OpenClaw's that ends with one message. */
const streamOf = (message: Message): Stream => ({
  result: async () => message,
  async * [Symbol.asyncIterator] () {
    await later(0)
    yield { type: 'start' }
    yield message.stopReason === 'error' ? { type: 'error', error: message } : { type: 'done' }
  }
})

/** What is read of it, both ways. */
async function read (message: Message): Promise<Message[]> {
  const stream = explained(streamOf(message))
  const events: { type: string, error?: Message }[] = []
  for await (const event of stream) events.push(event)
  return [...events.flatMap(({ error }) => error ?? []), await stream.result()]
}

t.test('a login that was refused is explained to OpenClaw’s user', async t => {
  const refused: Message = { stopReason: 'error', content: [], errorMessage: '401 Invalid bearer token - it expired. Sign in again and retry.; Retry-After: 0 seconds' }
  for (const message of await read(refused)) {
    t.match(message.content, [{ type: 'text', text: 'Invalid bearer token - it expired. Sign in again and retry.' }], 'in our own words')
    t.match(message.errorMessage, /^401 Invalid bearer token .* OAuth token refresh failed for openai: sign in again\)$/, 'and by those by which OpenClaw offers a login')
  }
  const silent = await read({ stopReason: 'error', content: [], errorMessage: '401 {"detail":"Unauthorized"}' })
  t.match(silent, [{ content: [], errorMessage: /sign in again/ }, {}], 'JSON is shown to nobody')
  const { content, ...bare } = refused
  t.match(await read(bare as Message), [{ content: [{ text: /Sign in again/ }] }, {}], 'one without any content too')
  const half = await read({ ...refused, content: [{ type: 'text', text: 'half' }] })
  t.match(half, [{ content: [{ text: 'half' }] }, {}], 'what was said before stays')
})

t.test('everything else stays as it is', async t => {
  for (const message of [{ stopReason: 'stop', content: [{ type: 'text', text: '401 is a number' }] }, { stopReason: 'error', content: [], errorMessage: '500 out of order' }, { stopReason: 'error', content: [] }]) {
    for (const seen of await read(message)) t.equal(seen, message)
  }
  const empty = explained({ result: async (): Promise<unknown> => undefined, async * [Symbol.asyncIterator] () { yield await later(0, { type: 'error', error: undefined }) } })
  t.equal(await empty.result(), undefined)
  const other = {}
  t.equal(explained(other), other, 'also what is no stream of messages')
})
