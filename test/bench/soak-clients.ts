import Anthropic from '@anthropic-ai/sdk'
import type { IncomingMessage } from 'node:http'
import OpenAI from 'openai'
import { Agent, getGlobalDispatcher, request } from 'undici'
import { WebSocket } from 'ws'
import { connect } from 'node:net'
import type { Kind } from '../fixtures/fault-upstream.ts'
import type { Behaviour } from '../fixtures/faults.ts'
import { cells, describe, paths, play, sharedPrefix, type Cell } from '../fixtures/matrix.ts'
import type { Random } from '../fixtures/random.ts'
import { expiredJwt } from '../fixtures/token.ts'

/** One thing that a client did: what it met, what it saw, what it may have seen. */
export interface Outcome { readonly what: string, readonly seen: string, readonly allowed: readonly string[] }

/** One kind of client: does one thing at random, among faults or not. */
export interface Client { readonly name: string, readonly act: (faults: boolean) => Promise<Outcome> }

const stub = { teardown: () => {} }
const without = (kinds: readonly Kind[]) => cells.filter(({ kind, behaviour: { primed } }) => !kinds.includes(kind) && primed !== true)
const plain = without(['upload'])
const uploads = cells.filter(({ kind, behaviour: { primed } }) => kind === 'upload' && primed !== true)
const named = (name: string, from: readonly Cell[]): Cell[] => from.filter(({ behaviour }) => behaviour.name === name)

/** What else than the table's word may be seen when the same thing happens again and again. */
const allowedFor = ({ expected, behaviour }: Cell): string[] => [
  expected,
  // Connect failures in a row may be answered before the next try.
  ...(behaviour.origin !== undefined ? ['502 upstream_unreachable', '503 upstream_unreachable', '503 short_circuit'] : [])
]

/** Where no answer of an upstream tells the time, as those of the broken ones here, an expired token goes on and meets what a good one does. */
const expiredOutcome = (cell: Cell, seen: string): Outcome => ({ what: 'an expired token', seen, allowed: ['401 token_expired', ...allowedFor(cell)] })

const outcome = (cell: Cell, seen: string): Outcome => ({ what: `${cell.behaviour.name}, ${cell.kind}`, seen, allowed: allowedFor(cell) })

/** Raw sockets, one request after the other or all at once. */
const raw = (name: 'keep-alive' | 'pipelining', port: number, random: Random): Client => ({
  name: `raw ${name}`,
  act: async faults => {
    const list = (random.below(50) === 0 ? uploads : plain).filter(({ client, kind }) => client === name && kind !== 'WebSocket')
    const cell = random.pick(faults ? list : named('intact', list))
    return outcome(cell, await play(stub, port, cell, { salt: `-${random.below(2 ** 32)}`, prefix: sharedPrefix(cell) }))
  }
})

/** undici, over kept connections or a new one for each request. */
function fetching (name: string, url: string, random: Random, agent: (() => Agent)): Client {
  return {
    name,
    act: async faults => {
      const list = plain.filter(({ client, kind }) => client === 'keep-alive' && kind !== 'WebSocket')
      const cell = random.pick(faults ? list : named('intact', list))
      const { behaviour, kind } = cell
      const bad = faults && random.below(8) === 0
      const token = bad ? expiredJwt(60 + random.below(10_000) + 60) : `${name.replace(/\W/g, '')}-${random.below(2 ** 32)}`
      const dispatcher = agent()
      try {
        const { statusCode, headers, body } = await request(`${url}${sharedPrefix(cell)}/${behaviour.name}/${paths[kind]}`, {
          dispatcher, method: kind === 'GET' ? 'GET' : 'POST', ...(kind === 'GET' ? {} : { body: '{}' }),
          headers: { authorization: `Bearer ${token}`, ...(kind === 'SSE' ? { accept: 'text/event-stream', originator: 'codex_exec' } : {}) }
        })
        const text = await body.arrayBuffer().then(bytes => Buffer.from(bytes).toString('latin1'), () => undefined)
        const seen = text === undefined ? `${statusCode} cut` : describe({ status: statusCode, headers: headers as Record<string, string>, body: text }, cell)
        return bad ? expiredOutcome(cell, seen) : outcome(cell, seen)
      } catch (error) {
        return outcome(cell, `nothing: ${String(error)}`)
      } finally {
        if (name.startsWith('new')) await dispatcher.close()
      }
    }
  }
}

/** Sessions of the `ws` package. */
const sockets = (url: string, random: Random): Client => ({
  name: 'ws',
  act: async faults => {
    const list = plain.filter(({ kind }) => kind === 'WebSocket')
    const cell = random.pick(faults ? list : named('intact', list))
    const bad = faults && random.below(8) === 0
    const token = bad ? expiredJwt(120 + random.below(10_000)) : `ws-${random.below(2 ** 32)}`
    const socket = new WebSocket(`${url.replace('http', 'ws')}${sharedPrefix(cell)}/${cell.behaviour.name}/responses`, { headers: { authorization: `Bearer ${token}` } })
    const seen = await new Promise<string>(resolve => {
      const messages: string[] = []
      socket.on('message', data => messages.push((data as Buffer).toString()))
      socket.on('error', error => { resolve(`nothing: ${String(error)}`) })
      socket.on('unexpected-response', (_request, response: IncomingMessage) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('close', () => {
          const body = Buffer.concat(chunks).toString('latin1')
          resolve(response.complete ? describe({ status: response.statusCode ?? 0, headers: response.headers as Record<string, string>, body }, cell) : `${response.statusCode} cut`)
          socket.terminate()
        })
      })
      socket.on('close', (code, reason) => {
        resolve(code === 1000 ? messages.length === 3 ? '101 whole' : '101 altered' : code === 1006 ? '101 cut' : `101 explained ${reason.toString().split(':')[0]}`)
      })
    })
    return bad ? expiredOutcome(cell, seen) : outcome(cell, seen)
  }
})

interface ApiError extends Error { status?: number }

/** Faults whose answers say the same to an SDK as to a raw socket: no redirects, no codings, no bodies of another kind. */
const forSdk = ({ behaviour: { body, early, origin, name }, expected }: Cell): boolean =>
  origin === undefined && early === undefined && !/gzip|closes|continue|stale/.test(name) && (body === undefined || Number(expected.slice(0, 3)) >= 400)

/** How a call of an SDK ended, in words that the table's can be turned into. */
const ended = (error: ApiError): string => error.status !== undefined ? `error ${error.status}` : error.constructor.name.endsWith('APIError') ? 'explained' : 'cut'
const forCaller = ({ expected, kind }: Cell): string[] => {
  const status = Number(expected.slice(0, 3))
  if (status >= 300) return [`error ${status}`]
  if (expected.endsWith('whole')) return ['success']
  // A stream whose last event came is whole to its reader, who then looks no further.
  return expected.includes('explained') ? ['cut'] : kind === 'SSE' ? ['cut', 'success'] : ['cut']
}

/** Calls of an SDK, streamed or not. */
const sdk = (name: string, random: Random, call: (behaviour: Behaviour, stream: boolean, token: string) => Promise<void>): Client => ({
  name,
  act: async faults => {
    const list = plain.filter(cell => cell.client === 'keep-alive' && (cell.kind === 'POST' || cell.kind === 'SSE') && forSdk(cell))
    const cell = random.pick(faults ? list : named('intact', list))
    const bad = faults && random.below(8) === 0
    const token = bad ? expiredJwt(120 + random.below(10_000)) : `sdk-${random.below(2 ** 32)}`
    const seen = await call(cell.behaviour, cell.kind === 'SSE', token).then(() => 'success', ended)
    return { what: bad ? 'an expired token' : `${cell.behaviour.name}, ${cell.kind}`, seen, allowed: bad ? ['error 401', ...forCaller(cell)] : forCaller(cell) }
  }
})

const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
  const events = stream[Symbol.asyncIterator]()
  while ((await events.next()).done !== true) { /* only its end counts */ }
}

const openai = (url: string, random: Random): Client => sdk('openai SDK', random, async ({ name }, stream, apiKey) => {
  const client = new OpenAI({ apiKey, baseURL: `${url}/v1/${name}`, maxRetries: 0 })
  const chat = random.below(2) === 0
  const messages = [{ role: 'user' as const, content: 'hello' }]
  if (chat && stream) await drain(await client.chat.completions.create({ model: 'm', messages, stream }))
  else if (chat) await client.chat.completions.create({ model: 'm', messages })
  else if (stream) await drain(await client.responses.create({ model: 'm', input: 'hello', stream }))
  else await client.responses.create({ model: 'm', input: 'hello' })
})

const anthropic = (url: string, random: Random): Client => sdk('@anthropic-ai/sdk', random, async ({ name }, stream, apiKey) => {
  const client = new Anthropic({ apiKey, baseURL: `${url}/anthropic/${name}`, maxRetries: 0 })
  const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user' as const, content: 'hello' }] }
  if (stream) await drain(await client.messages.create({ ...body, stream }))
  else await client.messages.create(body)
})

/** Leaves at any moment: whatever it sees is all right, what it leaves behind is what counts. */
const leaver = (port: number, random: Random): Client => ({
  name: 'leaver',
  act: async faults => {
    const { behaviour, kind } = random.pick(faults ? plain : named('intact', plain))
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST /v1/${behaviour.name}/${paths[kind]} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer leaver-${random.below(2 ** 32)}\r\n${kind === 'SSE' ? 'Accept: text/event-stream\r\n' : ''}Content-Length: 5000\r\n\r\n${'x'.repeat(random.below(2) * 5000)}`)
    await new Promise(resolve => setTimeout(resolve, random.below(200)))
    if (random.below(2) === 0) socket.resetAndDestroy()
    else socket.destroy()
    return { what: 'leaving', seen: 'left', allowed: ['left'] }
  }
})

/** All kinds of clients before one sidecar. */
export function clientsFor (port: number, url: string, random: Random): { clients: Client[], close: () => Promise<void> } {
  const kept = new Agent({ connections: 8 })
  return {
    clients: [
      fetching('undici, kept connections', url, random, () => kept),
      fetching('new connection each', url, random, () => new Agent({ connections: 1, pipelining: 0 })),
      raw('keep-alive', port, random), raw('pipelining', port, random),
      sockets(url, random), openai(url, random), anthropic(url, random), leaver(port, random)
    ],
    /** Closes what the clients keep; the SDKs use Node's own fetch. */
    close: async () => { await Promise.all([kept.close(), getGlobalDispatcher().destroy()]) }
  }
}
