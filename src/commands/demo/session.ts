import type { Readable } from 'node:stream'
import type { Client } from './client.ts'

/** A streamed answer as its client saw it. */
export interface Session {
  /** Events of the answer that arrived. */
  readonly events: number
  /** ms, the longest between two of them. */
  readonly longestGap: number
  /** Whether the answer said that this was all of it. */
  readonly completed: boolean
  /** What the stream said of its own failure; a client that is told nothing takes the end for a success. */
  readonly failure: { readonly code: string, readonly message: string } | undefined
}

type Told = { readonly type: 'error', readonly code: string, readonly message: string } | { readonly type: `response.${string}` }

async function * eventsOf (body: Readable): AsyncGenerator<Told> {
  let text = ''
  for await (const chunk of body.setEncoding('utf8')) {
    text += String(chunk)
    const end = text.lastIndexOf('\n\n') + 1
    for (const [, data = ''] of text.slice(0, end).matchAll(/^data: (.*)$/gm)) yield JSON.parse(data) as Told
    text = text.slice(end)
  }
}

export interface SessionOptions {
  token: string
  /** Added to the path. */
  query?: string
  /** Called for each event, with how many there are. */
  onEvent?: (events: number) => void
}

/**
 * Reads a streamed answer as the `openai` SDK does: an `error` event is a failure, and any other end a success. It
 * lists the models first, as Codex does.
 */
export async function runSession (client: Client, { token, query, onEvent = () => {} }: SessionOptions): Promise<Session> {
  const models = await client.listModels(token)
  await models.body.dump()
  const { body } = await client.respond(token, query)
  let session: Session = { events: 0, longestGap: 0, completed: false, failure: undefined }
  let last = performance.now()
  for await (const told of eventsOf(body)) {
    if (told.type === 'error') session = { ...session, failure: told }
    else if (told.type !== 'response.failed') {
      const now = performance.now()
      session = { ...session, events: session.events + 1, longestGap: Math.max(session.longestGap, now - last), completed: told.type === 'response.completed' }
      last = now
      onEvent(session.events)
    }
  }
  return session
}
