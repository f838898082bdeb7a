/** Protocols of models' event streams: where they are spoken, how they end, how they fail, and what keeps them alive. */

/** `other`: a stream that is no model's. */
export type StreamProtocol = 'responses' | 'resumed' | 'chat' | 'messages' | 'images' | 'transcription' | 'speech' | 'runs' | 'other'

export interface Protocol {
  /** Paths, without a query. */
  readonly path: RegExp
  /** Names or types of its events, by which a stream on such a path is known to speak it. */
  readonly events: RegExp
  /** Only of requests with this method. */
  readonly method?: string
  /** Names or types of the events behind which nothing is missing, whatever the socket does next. An error explains itself. */
  readonly terminal: ReadonlySet<string>
  /** Those behind which an orderly end is one of a whole stream, though more could have come. */
  readonly sufficient?: ReadonlySet<string>
  /** Whether the data `[DONE]` ends it too, and an orderly end once all choices have their `finish_reason`. */
  readonly choices?: true
  /** Whether it may end in order at any event. */
  readonly endsAnywhere?: true
  /** Types that begin so say nothing else that matters: the rest of such an event is not looked at. */
  readonly passing?: string
  /** How a failure is said. */
  readonly failure: 'responses' | 'chat' | 'error'
  /** What its clients take as a sign of life. A comment where nothing else is known to be passed over. */
  readonly sign: 'keepalive' | 'ping' | 'comment'
  /** Where this row is from. */
  readonly source: string
}

const responses = ['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled', 'response.done', 'error']

const row = (path: RegExp, events: RegExp, terminal: readonly string[], more: Omit<Protocol, 'path' | 'events' | 'terminal'>): Protocol => ({ path, events, terminal: new Set(terminal), ...more })

/** One row a protocol; a path belongs to the first that fits. */
export const protocols: Readonly<Record<Exclude<StreamProtocol, 'other'>, Protocol>> = {
  // GET …/responses/ID?stream=true gives what there is so far of a background response, which goes on by itself.
  resumed: row(/\/responses\/[^/]+\/?$/, /^response\./, responses, {
    method: 'GET', endsAnywhere: true, passing: 'response.', failure: 'responses', sign: 'keepalive',
    source: 'openai/openai-node PR#2614; OpenAI API reference, Get a model response'
  }),
  responses: row(/\/responses(?:\/[^/]+)?\/?$/, /^(?:response|codex)\./, responses, {
    passing: 'response.', failure: 'responses', sign: 'keepalive',
    source: 'contract.md section 3; response.done: 9router PR#2142; keepalive, which resets Codex’s timer as no comment does: openai/openai-node#1964'
  }),
  chat: row(/\/completions\/?$/, /^(?:chat\.completion\.chunk|text_completion)$/, ['error'], {
    choices: true, failure: 'chat', sign: 'comment',
    source: 'OpenAI API reference, Chat completions and legacy completions: data: [DONE]; servers that leave it out end behind finish_reason'
  }),
  messages: row(/\/messages\/?$/, /^(?:message|content_block)_/, ['message_stop', 'error'], {
    passing: 'content_block_delta', failure: 'error', sign: 'ping',
    source: 'Anthropic API reference, Streaming messages: event types, ping events, error events'
  }),
  images: row(/\/images\/(?:generations|edits)\/?$/, /^image_(?:generation|edit)\./, ['error'], {
    sufficient: new Set(['image_generation.completed', 'image_edit.completed']), failure: 'error', sign: 'comment',
    source: 'OpenAI API reference, Image streaming: one completed event an image, n of them; sub2api PR#4218'
  }),
  transcription: row(/\/audio\/(?:transcriptions|translations)\/?$/, /^transcript\./, ['transcript.text.done', 'error'], {
    passing: 'transcript.text.delta', failure: 'error', sign: 'comment',
    source: 'OpenAI API reference, Create transcription, stream events'
  }),
  speech: row(/\/audio\/speech\/?$/, /^speech\./, ['speech.audio.done', 'error'], {
    passing: 'speech.audio.delta', failure: 'error', sign: 'comment',
    source: 'OpenAI API reference, Create speech, stream events'
  }),
  runs: row(/\/threads(?:\/[^/]+)?\/runs(?:\/[^/]+\/submit_tool_outputs)?\/?$/, /^(?:thread\.|done$)/, ['done', 'error'], {
    failure: 'error', sign: 'comment',
    source: 'OpenAI API reference, Assistants streaming: thread.* events, then event: done with the data [DONE], or event: error. Azure still has it'
  })
}

/** Which protocol an answer to this request would speak as a stream. The path comes without its query. */
export function protocolOf (method: string, path: string): StreamProtocol {
  for (const name of Object.keys(protocols) as (keyof typeof protocols)[]) {
    const { method: only, path: pattern } = protocols[name]
    if ((only === undefined || only === method) && pattern.test(path)) return name
  }
  return 'other'
}

/** What an event says of the protocol of its stream. */
export interface EventSeen {
  /** The type that its data gives it, or else its name. */
  readonly kind: string
  readonly object: string
  readonly jsonrpc: boolean
  /** Whether it has a list of choices, or is the `[DONE]` behind them. */
  readonly choices: boolean
  /** Whether it is an error. */
  readonly error: boolean
  /** Whether its data is a text that is no object. */
  readonly plain: boolean
}

/** Signs of life, which servers of all kinds send. A nameless text says as little. */
const neutral: ReadonlySet<string> = new Set(['ping', 'keepalive'])

/**
 * Which protocol a stream speaks, by its path and by an event: gateways have paths of their own, MCP has streams on any, and
 * other servers have such paths too. `undefined` where the event belongs to none that is known.
 */
export function protocolSeen (byPath: StreamProtocol, { kind, object, jsonrpc, choices, error, plain }: EventSeen): StreamProtocol | 'neutral' | undefined {
  if (jsonrpc) return 'other' // field.md B6
  if (neutral.has(kind) || (plain && kind === '' && !choices)) return 'neutral'
  if (byPath !== 'other') {
    const { events, choices: has } = protocols[byPath]
    return error || events.test(kind) || (has === true && (choices || events.test(object))) ? byPath : undefined
  }
  if (kind.startsWith('response.')) return 'responses'
  if (kind === 'message_start') return 'messages'
  return protocols.chat.events.test(object) ? 'chat' : undefined
}
