import { Agent, request, type Dispatcher } from 'undici'

/** ms without a sign of life after which the demo gives up instead of waiting. */
const PATIENCE = 4_000

/** A client program with sockets of its own. */
export interface Client {
  readonly listModels: (token: string) => Promise<Dispatcher.ResponseData>
  /** Asks for a streamed answer. `query` is added to the path. */
  readonly respond: (token: string, query?: string) => Promise<Dispatcher.ResponseData>
  /** Connections that the other side has closed so far. */
  readonly closedOnUs: () => number
  readonly close: () => Promise<void>
}

/** Opens a client of the Codex route that holds all its sessions in one process, as OpenClaw's gateway does. */
export function openClient (origin: string): Client {
  const agent = new Agent({ headersTimeout: PATIENCE, bodyTimeout: PATIENCE })
  let closed = 0
  agent.on('disconnect', () => { closed++ })
  const base = `${origin}/backend-api/codex`
  const authorization = (token: string): string => `Bearer ${token}`
  return {
    listModels: token => request(`${base}/models?client_version=0.0.0`, { dispatcher: agent, headers: { authorization: authorization(token) } }),
    respond: (token, query = '') => request(`${base}/responses${query}`, {
      dispatcher: agent,
      method: 'POST',
      headers: { authorization: authorization(token), accept: 'text/event-stream', 'content-type': 'application/json', originator: 'codex_demo' },
      body: JSON.stringify({ model: 'demo', stream: true, input: 'Say something.' })
    }),
    closedOnUs: () => closed,
    close: () => agent.destroy()
  }
}
