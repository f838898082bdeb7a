import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { chatTurn, firstHalf, messagesTurn, responsesTurn, sendStream, type Turn } from '../fixtures/streams.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

export const GOOD = 'test-key-good'
export const DEAD = 'test-key-dead'
export const TEXT = 'Hello from the stand-in upstream'

export interface ProviderOptions {
  /** How many streams end in order after their first half, before whole ones come. */
  halves?: number
}

const turns: readonly [RegExp, (text: string, model?: string) => Turn][] = [
  [/\/responses$/, responsesTurn],
  [/\/chat\/completions$/, chatTurn],
  [/\/messages$/, messagesTurn]
]

const tokenOf = ({ headers }: IncomingMessage): string => {
  const key = headers['x-api-key']
  return typeof key === 'string' ? key : (headers.authorization ?? '').replace(/^Bearer /, '')
}

/** A stand-in for OpenAI and Anthropic together: it takes turns and refuses every key but the good one. */
export async function startProvider (t: Test, { halves = 0 }: ProviderOptions = {}) {
  let cut = 0
  const upstream = await startUpstream(t, (request, response, body) => {
    const path = (request.url ?? '').replace(/\?.*$/, '')
    if (tokenOf(request) !== GOOD) {
      const refusal = path.endsWith('/messages')
        ? { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' }, request_id: 'req_1' }
        : deadKey
      return json(response, 401, refusal)
    }
    // Codex reads `models`, others `data`.
    if (path.endsWith('/models')) return json(response, 200, { object: 'list', data: [], models: [] })
    const make = turns.find(([pattern]) => pattern.test(path))?.[1]
    if (make === undefined || request.method !== 'POST') return json(response, 404, { error: { message: 'no such path', type: 'invalid_request_error', param: null, code: null } })
    const { model, stream } = JSON.parse(body.toString()) as { model?: string, stream?: boolean }
    const turn = make(TEXT, model)
    if (stream !== true) return json(response, 200, turn.body)
    sendStream(response, cut++ < halves ? firstHalf(turn) : turn.events)
  })
  return {
    ...upstream,
    /** Requests of clients, without those with which the sidecar asks about a token. */
    get turns (): number { return upstream.seen.filter(({ method }) => method === 'POST').length }
  }
}
