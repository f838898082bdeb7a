import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { chatTurn, firstHalf, messagesTurn, responsesTurn, sendStream, type Turn } from '../fixtures/streams.ts'
import { deadKey, json, startUpstream, type Seen } from '../fixtures/upstream.ts'
import { serveResponsesSockets } from './responses-socket.ts'

export const GOOD = 'test-key-good'
export const DEAD = 'test-key-dead'
export const TEXT = 'Hello from the stand-in upstream'

export interface ProviderOptions {
  /** How many streams end in order after their first half, and WebSockets without a Close frame, before whole ones come. */
  halves?: number
  /** What goes wrong with each turn and handshake of a good token. Unreachable: nobody listens. */
  fault?: 'reset' | 'hang' | 'unreachable'
  /** Whether a token is good; only one is otherwise. */
  takes?: (token: string) => boolean
  /** Why other tokens are refused on OpenAI's paths. */
  refusal?: unknown
  /** What the nth handshake with a good token is refused with, from 1; without this all are handshakes. */
  upgrade?: (n: number) => { status: number, body: unknown } | undefined
}

/** What ChatGPT answers to a token whose session was ended elsewhere. */
export const revoked = { error: { message: 'Encountered invalidated oauth token for user, failing request', type: null, param: null, code: 'token_revoked' }, status: 401 }
const noPath = { error: { message: 'no such path', type: 'invalid_request_error', param: null, code: null } }

const turns: readonly [RegExp, (text: string, model?: string) => Turn][] = [
  [/\/responses$/, responsesTurn],
  [/\/chat\/completions$/, chatTurn],
  [/\/messages$/, messagesTurn]
]

const tokenOf = ({ headers }: IncomingMessage): string => {
  const key = headers['x-api-key']
  return typeof key === 'string' ? key : (headers.authorization ?? '').replace(/^Bearer /, '')
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.replace(/\?.*$/, '')

/** A stand-in for OpenAI and Anthropic together: it takes turns and refuses every key but the good one. */
export async function startProvider (t: Test, { halves = 0, fault, takes = token => token === GOOD, refusal: refusalBody = deadKey, upgrade: refuseGood }: ProviderOptions = {}) {
  let cut = 0
  let handshakes = 0
  const upstream = await startUpstream(t, (request, response, body) => {
    const path = pathOf(request)
    if (!takes(tokenOf(request))) {
      const refusal = path.endsWith('/messages')
        ? { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' }, request_id: 'req_1' }
        : refusalBody
      return json(response, 401, refusal)
    }
    // Codex reads `models`, others `data`.
    if (path.endsWith('/models')) return json(response, 200, { object: 'list', data: [], models: [] })
    const make = turns.find(([pattern]) => pattern.test(path))?.[1]
    if (path.endsWith('/responses/resp_1')) return sendStream(response, firstHalf(responsesTurn(TEXT)).slice(-1)) // a background response, read on from an event, that is still in progress
    if (make === undefined || request.method !== 'POST') return json(response, 404, noPath)
    // Codex compresses the body where it is signed in with ChatGPT, and always wants a stream.
    if (fault === 'reset') return void request.socket.resetAndDestroy()
    if (fault === 'hang') return
    const { model, stream } = request.headers['content-encoding'] === 'zstd' ? { stream: true } : JSON.parse(body.toString()) as { model?: string, stream?: boolean }
    const turn = make(TEXT, model)
    if (stream !== true) return json(response, 200, turn.body)
    sendStream(response, cut++ < halves ? firstHalf(turn) : turn.events)
  })
  const upgrades: Seen[] = []
  const sockets = serveResponsesSockets(upstream.server, {
    text: TEXT,
    lost: () => cut++ < halves,
    refuse: request => {
      const { method = '', url = '', headers, rawHeaders } = request
      const asked = { method, url, headers, rawHeaders, body: Buffer.alloc(0) }
      upgrades.push(asked)
      upstream.seen.push(asked)
      if (!takes(tokenOf(request))) return { status: 401, body: refusalBody }
      if (fault === 'reset') request.socket.resetAndDestroy()
      if (fault !== undefined) return 'silence'
      return pathOf(request).endsWith('/responses') ? refuseGood?.(++handshakes) : { status: 404, body: noPath }
    }
  })
  if (fault === 'unreachable') upstream.server.close()
  return {
    ...upstream,
    /** Those of the requests seen that ask for a WebSocket. */
    upgrades,
    /** Requests of clients, without those with which the sidecar asks about a token. */
    get turns (): number { return upstream.seen.filter(({ method }) => method === 'POST').length },
    /** Turns that clients took over WebSockets. */
    get socketTurns (): number { return sockets.turns }
  }
}
