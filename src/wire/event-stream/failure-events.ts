import type { Known } from './known.ts'
import { protocols, type StreamProtocol } from './protocols.ts'

/** What a failed stream says of itself. */
export interface StreamFailure { readonly code: string, readonly message: string }

const event = (data: object, name?: string): string => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`

/**
 * The response as far as it is known; the other members that the SDKs' types demand have the values of one that came to
 * nothing. `server_error` is the one of the API's own codes that fits, and which Codex tries again.
 */
const failedResponse = ({ id, createdAt, model }: Known, message: string): object => ({
  id: id ?? 'resp_unknown', object: 'response', created_at: createdAt ?? Math.floor(Date.now() / 1000), model: model ?? 'unknown',
  status: 'failed', error: { code: 'server_error', message }, incomplete_details: null, output: [], output_text: '',
  instructions: null, metadata: null, parallel_tool_calls: true, temperature: null, tool_choice: 'auto', tools: [], top_p: null
})

/**
 * The event (or events) with which a protocol's clients understand that a stream has failed.
 * @param known what the stream has said so far
 */
export function failureEvent (protocol: Exclude<StreamProtocol, 'other'>, { code, message }: StreamFailure, known: Known): string {
  const error = { type: 'api_error', code, message, param: null }
  const { failure } = protocols[protocol]
  if (failure === 'chat') return event({ error })
  if (failure === 'error') return event({ type: 'error', error, request_id: null }, 'error')
  const next = (known.sequence ?? -1) + 1
  // The SDK throws at `error`, Codex acts on `response.failed` and passes over the other. Each server has one of the two forms of `error`.
  return event({ type: 'error', code, message, param: null, sequence_number: next, error }, 'error') +
    event({ type: 'response.failed', sequence_number: next + 1, response: failedResponse(known, message) }, 'response.failed')
}

/** What a protocol's clients take as a sign of life while its stream is silent. */
export function signOfLife (protocol: Exclude<StreamProtocol, 'other'>, { sequence }: Known): string {
  const { sign } = protocols[protocol]
  if (sign === 'ping') return event({ type: 'ping' }, 'ping')
  // Who resumes a stream asks for what follows the last number seen: it has to be one of the upstream's. Before the first
  // event the SDK takes no other than that.
  return sign === 'keepalive' && sequence !== undefined ? event({ type: 'keepalive', sequence_number: sequence }, 'keepalive') : ': keep-alive\n\n'
}
