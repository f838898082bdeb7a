import type { IncomingMessage } from 'node:http'
import OpenAI from 'openai'
import { ResponsesWS } from 'openai/resources/responses/ws'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { bothWays, type Way } from './both-ways.ts'
import { DEAD, GOOD, TEXT } from './provider.ts'
import { note } from './results.ts'
import { Table } from './table.ts'

// The openai SDK's WebSocket client for the Responses API, and the `ws` package, which it is built on.

const table = new Table('client', 'case', 'way', 'sent', 'upstream saw', 'ms', 'what the user sees')
t.teardown(() => { table.print(t) })

/** All that a user can see of one turn. */
interface Outcome {
  text: string
  /** Messages of the errors thrown or emitted. */
  errors: string[]
  /** The event that came as an error message, where one did. */
  event?: unknown
  /** The answer to a refused handshake, for users who ask for it. */
  refusal?: { status: number | undefined, body: string }
  closed: { code: number, reason: string }
}

const create = { type: 'response.create', model: 'stand-in', input: 'Say hello' } as const

/** The SDK's client, its events read with `for await`, as its documentation has it. */
async function sdk ({ url }: Way, apiKey: string): Promise<Outcome> {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, organization: null, project: null })
  const socket = new ResponsesWS(client)
  socket.send(create)
  const outcome: Outcome = { text: '', errors: [], closed: { code: 0, reason: '' } }
  for await (const event of socket) {
    if (event.type === 'error') {
      outcome.errors.push(event.error.message)
      if (event.error.error !== undefined) outcome.event = event.error.error
    } else if (event.type === 'close') outcome.closed = { code: event.code, reason: event.reason }
    else if (event.type === 'message') {
      if (event.message.type === 'response.output_text.delta') outcome.text += event.message.delta
      if (event.message.type === 'response.completed') socket.close()
    }
  }
  return outcome
}

/** The `ws` package; it tells of a refused handshake in an error, or hands its answer over to those who listen for it. */
async function ws ({ url }: Way, key: string, reads = false): Promise<Outcome> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers: bearer(key) })
  const outcome: Outcome = { text: '', errors: [], closed: { code: 0, reason: '' } }
  socket.on('open', () => { socket.send(JSON.stringify(create)) })
  socket.on('error', ({ message }) => { outcome.errors.push(message) })
  socket.on('message', (data: Buffer) => {
    const event = JSON.parse(data.toString()) as { type: string, delta?: string }
    if (event.type === 'error') outcome.event = event
    if (event.type === 'response.output_text.delta') outcome.text += event.delta ?? ''
    if (event.type === 'response.completed') socket.close(1000)
  })
  if (reads) {
    socket.on('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      void response.toArray().then(chunks => {
        outcome.refusal = { status: response.statusCode, body: Buffer.concat(chunks as Buffer[]).toString() }
        socket.emit('close', 1006, Buffer.alloc(0)) // who takes the answer over has to end it too
      })
    })
  }
  return await new Promise(resolve => {
    socket.on('close', (code, reason) => { resolve({ ...outcome, closed: { code, reason: reason.toString() } }) })
  })
}

const clients: Record<string, (way: Way, key: string) => Promise<Outcome>> = {
  'openai ResponsesWS': sdk,
  ws,
  'ws, answer read': (way, key) => ws(way, key, true)
}

const shown = ({ text, errors, refusal, closed: { code, reason } }: Outcome): string => [
  ...(text === '' ? [] : [`"${text}"`]),
  ...errors.map(message => `error: ${message.slice(0, 130)}`),
  ...(refusal === undefined ? [] : [`answer: ${refusal.status} ${refusal.body.slice(0, 90)}`]),
  `close ${code} ${reason}`
].join('; ')

/** One turn, measured and noted. */
async function turn (client: string, what: string, way: Way, key: string): Promise<Outcome & { sent: number, saw: number }> {
  const before = { requests: way.requests, seen: way.upstream.seen.length }
  const started = performance.now()
  const outcome = await (clients[client] as typeof sdk)(way, key)
  const ms = Math.round(performance.now() - started)
  const sent = way.requests - before.requests
  const saw = way.upstream.seen.length - before.seen
  table.add(client, what, way.name, sent, saw, ms, shown(outcome))
  note({ client, what, way: way.name, shown: shown(outcome), ms, requests: saw })
  return { ...outcome, sent, saw }
}

/** What the client shows of a refused handshake, with us as without. */
function refused (t: Test, client: string, { errors, refusal, closed, sent }: Outcome & { sent: number }): void {
  t.equal(sent, 1, `${client} does not try again`)
  t.equal(closed.code, 1006)
  if (client === 'ws, answer read') t.equal(refusal?.status, 401)
  else t.strictSame(errors, ['Unexpected server response: 401'])
}

for (const client of Object.keys(clients)) {
  t.test(`${client}: a good turn`, async t => {
    const { straight, sidecar } = await bothWays(t)
    const { saw: _, ...without } = await turn(client, 'good turn', straight, GOOD)
    t.equal(without.text, TEXT, 'the whole answer')
    const { saw, ...through } = await turn(client, 'good turn', sidecar, GOOD)
    t.strictSame(through, without, 'nothing is different through the sidecar')
    t.equal(saw, 2, 'sidecar: the upstream is asked about the token, then for the turn')
    t.equal(sidecar.upstream.socketTurns, 1, 'over WebSocket')
  })

  t.test(`${client}: a bad token`, async t => {
    const { straight, sidecar } = await bothWays(t)
    for (const [what, key, code, asked] of [
      ['dead key', DEAD, 'token_rejected', 1],
      ['dead key, again', DEAD, 'token_rejected', 0],
      ['expired JWT', expiredJwt(), 'token_expired', 0]
    ] as const) {
      const without = await turn(client, what, straight, key)
      refused(t, client, without)
      t.equal(without.saw, 1, 'straight: the upstream is asked')
      const through = await turn(client, what, sidecar, key)
      refused(t, client, through)
      t.equal(through.saw, asked, `sidecar: the upstream is asked ${asked} times`)
      if (through.refusal !== undefined) t.match(JSON.parse(through.refusal.body), { error: { code } })
    }
    const { text } = await turn(client, 'good key after it', sidecar, GOOD)
    t.equal(text, TEXT, 'sidecar: a good key is not held up by a dead one')
  })

  t.test(`${client}: the upstream is lost within a turn`, async t => {
    const { straight, sidecar } = await bothWays(t, { halves: Infinity })
    const without = await turn(client, 'upstream lost', straight, GOOD)
    t.ok(without.text !== '' && without.text !== TEXT && TEXT.startsWith(without.text), 'straight: the answer is cut')
    t.match(without, { errors: [], closed: { code: 1006, reason: '' } }, 'straight: and nobody says why')
    const through = await turn(client, 'upstream lost', sidecar, GOOD)
    t.equal(through.text, without.text, 'sidecar: all that came is passed on')
    t.match(through.event, { type: 'error', status: 502, error: { type: 'api_error', code: 'upstream_reset', message: /^Upstream connection error .* the upstream closed its connection/ } }, 'sidecar: an error message says what happened')
    t.match(through.closed, { code: 1011, reason: /^upstream_reset: Upstream connection error/ })
    t.equal(through.sent, 1)
  })
}

t.test('the SDK connects again by itself where it is told to, with us as without', async t => {
  const { straight, sidecar } = await bothWays(t, { halves: 1 })
  for (const way of [straight, sidecar]) {
    const client = new OpenAI({ baseURL: `${way.url}/v1`, apiKey: GOOD, organization: null, project: null })
    const socket = new ResponsesWS(client, { reconnect: { initialDelay: 1, onReconnecting: () => undefined } })
    t.teardown(() => { socket.close() })
    const errors: string[] = []
    const codes: number[] = []
    socket.on('error', ({ message }) => { errors.push(message) })
    socket.on('reconnecting', ({ closeCode }) => { codes.push(closeCode) })
    socket.send(create)
    await new Promise<void>(resolve => { socket.on('reconnected', () => { resolve() }) })
    let text = ''
    socket.on('response.output_text.delta', ({ delta }) => { text += delta })
    socket.send(create)
    await new Promise<void>(resolve => { socket.on('response.completed', () => { resolve() }) })
    t.equal(text, TEXT, `${way.name}: the next turn is whole`)
    t.strictSame(codes, [way.name === 'straight' ? 1006 : 1011])
    t.equal(errors.length, way.name === 'straight' ? 0 : 1, 'sidecar: the lost turn is an error')
    table.add('openai ResponsesWS, reconnect', 'upstream lost once', way.name, way.requests, way.upstream.seen.length, '', `reconnected after close ${codes.join()}; errors: ${errors.length}`)
  }
})
