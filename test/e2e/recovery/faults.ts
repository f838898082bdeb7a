import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstHalf, type Turn } from '../../fixtures/streams.ts'
import { json } from '../../fixtures/upstream.ts'
import type { Protocol } from './answer.ts'
import { endings } from './endings.ts'

/** One request of a turn and what the stand-in would have said to it. */
export interface Asked { readonly request: IncomingMessage, readonly response: ServerResponse, readonly protocol: Protocol, readonly turn: Turn, readonly stream: boolean }

/** What goes wrong with a turn's request. */
export type Fault = (asked: Asked) => Promise<void> | void

/** Milliseconds in which what was sent reaches the client before its connection is reset. */
const ARRIVES = 200

const head = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }

/** Sends the first half of a stream, then what follows it; whoever asked for no stream gets the whole answer. */
const half = (end: (asked: Asked, sent: number) => Promise<void> | void): Fault => async asked => {
  const { response, turn, stream } = asked
  if (!stream) return json(response, 200, turn.body)
  response.writeHead(200, head)
  const events = firstHalf(turn)
  for (const event of events) response.write(event)
  await sleep(ARRIVES)
  await end(asked, events.length)
}

const cut = ({ request }: Asked): void => void request.socket.resetAndDestroy()
const refusal = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): Fault => ({ response }) => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  json(response, status, body)
}

const api = (type: string, message: string, code: string | null = null): object => ({ type: 'error', error: { type, message, code, param: null } })

/** An answer as codex-sidecar gives it in its own name. */
const ours = (status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}): Fault =>
  refusal(status, { ...api('api_error', message, code), request_id: 'req_1' }, { 'cache-control': 'no-store', 'proxy-status': `codex-sidecar; details="${code}"`, ...headers })

/** What an upstream does by itself. */
export const faults: Readonly<Record<string, Fault>> = {
  'stream cut': half(cut),
  'orderly half': half(({ response }) => void response.end()),
  'reset before the head': cut,
  500: refusal(500, api('server_error', 'The server had an error while processing your request.')),
  503: refusal(503, api('server_error', 'The server is overloaded or not ready yet.')),
  '401 without a reason': refusal(401, { detail: 'Unauthorized' }),
  '401 authentication_error': refusal(401, { ...api('authentication_error', 'Invalid authentication credentials'), request_id: 'req_1' }),
  '401 invalid_api_key': refusal(401, { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } })
}

/** What we could make of it. */
export const ourFaults: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries(Object.entries(endings).map(([name, { events, reset }]) => [`ending: ${name}`, half(async (asked, sent) => {
    const last = events(asked.protocol, sent)
    if (last !== '') asked.response.write(last)
    if (reset === false) return void asked.response.end()
    await sleep(ARRIVES)
    if (reset === 'fin') asked.request.socket.end()
    else cut(asked)
  })])),
  ...Object.fromEntries(Object.entries<readonly [number, string, string]>({
    'our 502, reset, today': [502, 'upstream_reset', 'The upstream closed its connection before its answer was whole. Your own connection is unharmed; retry.'],
    'our 502, reset': [502, 'upstream_reset', 'Upstream connection error (connection reset): it closed before its answer was whole. Your own connection is unharmed; retry.'],
    'our 502, refused, today': [502, 'upstream_unreachable', 'The upstream could not be reached: it refused the connection. Your credential was not judged. Check the network, then retry.'],
    'our 502, refused': [502, 'upstream_unreachable', 'Upstream connection error (connection refused, socket hang up): it refused the connection. Your credential was not judged. Check the network, then retry.'],
    'our 503, today': [503, 'lane_full', 'All 64 places for this kind of request on this route are taken. Retry in a second.'],
    'our 503': [503, 'lane_full', 'This route is overloaded: all 64 places for this kind of request are taken. Retry in a second.'],
    'our 504, today': [504, 'upstream_timeout', 'The upstream did not answer in time: no response headers within the time allowed. Your credential was not judged; retry.'],
    'our 504': [504, 'upstream_timeout', 'Upstream connection error (connection timeout, socket hang up): no connection within the time allowed. Your credential was not judged; retry.']
  }).map(([name, [status, code, message]]) => [name, ours(status, code, message, status === 503 ? { 'retry-after': '1' } : {})])),
  'our 504, final': ours(504, 'upstream_timeout', 'The upstream did not answer in time: no response headers within the time allowed. It had taken the request.', { 'x-should-retry': 'false' })
}
