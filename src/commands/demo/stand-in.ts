import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setInterval, setTimeout } from 'node:timers/promises'
import { createServer } from '../../wire/node-http.ts'

/** ms that the stand-in takes to refuse a dead token. */
export const REFUSAL = 250
/** Events of one whole stream, the terminal one included. */
export const EVENTS = 40
/** ms between two events. */
export const BEAT = 50

/** Word for word what openclaw/openclaw#72574 reports. */
const refusal = JSON.stringify({ type: 'error', error: { type: 'authentication_error', message: 'Invalid bearer token' } })

const event = (type: string, content: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...content })}\n\n`
const delta = event('response.output_text.delta', { delta: 'word ' })
const completed = event('response.completed', { response: { object: 'response', status: 'completed' } })

/** Streams the first events of an answer, then ends in order: where that is half of it, nothing in HTTP tells. */
async function stream (response: ServerResponse, events: readonly string[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const beats = setInterval(BEAT)[Symbol.asyncIterator]()
  for (const text of events) {
    response.write(text)
    await beats.next()
  }
  await beats.return?.()
  response.end()
}

async function refuse (response: ServerResponse): Promise<void> {
  await setTimeout(REFUSAL)
  response.writeHead(401, { 'content-type': 'application/json', connection: 'close' })
  response.end(refusal)
}

function listModels (response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end('{"models":[]}')
}

/** An upstream that stands in for the real one. */
export interface StandIn {
  /** Origin, without a slash at its end. */
  readonly url: string
  /** Requests of any kind that arrived with this token. */
  readonly requestsWith: (token: string) => number
  readonly close: () => Promise<void>
}

/**
 * Opens an upstream on a free loopback port that behaves as in openclaw/openclaw#72574: a dead token gets its 401
 * late, and with it the end of its connection. `?cut` in a path makes it end the stream after its first half.
 * @param live the one token that is good
 */
export async function openStandIn (live: string): Promise<StandIn> {
  const whole = [...Array.from({ length: EVENTS - 1 }, () => delta), completed]
  const seen: string[] = []

  async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, headers: { authorization } } = request
    seen.push(String(authorization))
    request.resume()
    if (authorization !== `Bearer ${live}`) await refuse(response)
    else if (method === 'GET') listModels(response)
    else await stream(response, String(url).endsWith('?cut') ? whole.slice(0, EVENTS / 2) : whole)
  }

  const server = createServer((request, response) => { void answer(request, response) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requestsWith: token => seen.filter(authorization => authorization === `Bearer ${token}`).length,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}
