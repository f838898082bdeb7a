import type { Protocol } from './answer.ts'

// Ways in which we could end a stream that was cut, for the search for the best: `e2e:recovery endings`.

/** Words that clients know for a lost connection (field.md, end of part G). */
export const LOST = 'Upstream connection error: the stream ended before a terminal response event'
export const RESET = 'Upstream connection error (connection reset): the stream ended before it was complete. Your own connection is unharmed; retry.'
export const TODAY = 'The upstream closed its connection before its answer was whole. Your own connection is unharmed; retry.'

/** What one way of ending sends behind the half that came, and whether the connection is then reset. */
export interface Ending { readonly events: (protocol: Protocol, sent: number) => string, readonly reset: boolean | 'fin' }

const event = (data: object, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

interface Words { readonly message: string, readonly code?: string, readonly type?: string }

/** The events that codex-sidecar 0.1.0 sent. */
function plain (protocol: Protocol, { message, code = 'upstream_reset', type = 'api_error' }: Words): string {
  const error = { type, code, message, param: null }
  if (protocol === 'messages') return event({ type: 'error', error }, 'error')
  if (protocol === 'chat') return event({ error })
  return event({ type: 'error', code, message, param: null, error }, 'error') +
    event({ type: 'response.failed', response: { object: 'response', status: 'failed', error: { code, message }, output: [] } }, 'response.failed')
}

const response = (code: string, message: string): object => ({
  id: 'resp_1', object: 'response', created_at: 1_767_225_600, status: 'failed', error: { code, message }, incomplete_details: null, instructions: null,
  model: 'stand-in', output: [], parallel_tool_calls: true, tool_choice: 'auto', tools: [], usage: null
})

const only = {
  error: ({ message, code = 'upstream_reset' }: Words, n: number) =>
    event({ type: 'error', sequence_number: n, code, message, param: null, error: { type: 'api_error', code, message, param: null } }, 'error'),
  failed: ({ message, code = 'upstream_reset' }: Words, n: number) =>
    event({ type: 'response.failed', sequence_number: n, response: response(code, message) }, 'response.failed')
}

/** The events with all fields of the stream's own ones. */
function full (protocol: Protocol, words: Words, sent: number): string {
  return protocol === 'responses' ? only.error(words, sent) + only.failed(words, sent + 1) : plain(protocol, words)
}

const pick = (one: keyof typeof only, words: Words) => (protocol: Protocol, sent: number): string =>
  protocol === 'responses' ? only[one](words, sent) : plain(protocol, words)

export const endings: Readonly<Record<string, Ending>> = {
  fin: { events: () => '', reset: 'fin' },
  'lost words, fin': { events: (protocol, sent) => full(protocol, { message: LOST }, sent), reset: 'fin' },
  today: { events: protocol => plain(protocol, { message: TODAY }), reset: false },
  'today, reset': { events: protocol => plain(protocol, { message: TODAY }), reset: true },
  'lost words': { events: (protocol, sent) => full(protocol, { message: LOST }, sent), reset: false },
  'lost words, reset': { events: (protocol, sent) => full(protocol, { message: LOST }, sent), reset: true },
  'only response.failed': { events: pick('failed', { message: LOST }), reset: false },
  'only error': { events: pick('error', { message: LOST }), reset: false },
  'only error, reset': { events: pick('error', { message: LOST }), reset: true },
  'reset words': { events: (protocol, sent) => full(protocol, { message: RESET }, sent), reset: false },
  'reset words, reset': { events: (protocol, sent) => full(protocol, { message: RESET }, sent), reset: true },
  'reset words, server_error': { events: (protocol, sent) => full(protocol, { message: RESET, code: 'server_error', type: 'server_error' }, sent), reset: false },
  'reset words, only error': { events: pick('error', { message: RESET }), reset: false },
  terminated: { events: (protocol, sent) => full(protocol, { message: 'terminated' }, sent), reset: false },
  'server_error': { events: (protocol, sent) => full(protocol, { message: LOST, code: 'server_error', type: 'server_error' }, sent), reset: false },
  'overloaded_error': { events: (protocol, sent) => full(protocol, { message: LOST, code: 'server_is_overloaded', type: 'overloaded_error' }, sent), reset: false }
}
