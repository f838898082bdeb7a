import type { IncomingMessage, Server } from 'node:http'
import { WebSocketServer, type WebSocket } from 'ws'
import { firstHalf, responsesTurn } from '../fixtures/streams.ts'

export interface ResponsesSocketOptions {
  /** The answer to a handshake that is refused, or none at all; undefined where it is accepted. */
  refuse: (request: IncomingMessage) => { status: number, body: unknown } | 'silence' | undefined
  /** What the model says. */
  text: string
  /** Asked for each turn: whether the connection is lost after its first half. */
  lost: () => boolean
}

/** An event of a stream as a message: only its data. */
const dataOf = (event: string): string => event.slice(event.indexOf('data: ') + 6).trim()

/** Serves the Responses API over WebSocket beside what the server does already. */
export function serveResponsesSockets (server: Server, { refuse, text, lost }: ResponsesSocketOptions) {
  const sockets = new WebSocketServer({ noServer: true })
  const counts = { turns: 0 }

  const answer = (socket: WebSocket, data: string): void => {
    const { type, model, generate } = JSON.parse(data) as { type: string, model?: string, generate?: boolean }
    if (type !== 'response.create') return socket.close(1008, `no such event: ${type}`)
    const turn = responsesTurn(generate === false ? '' : text, model)
    if (generate !== false) counts.turns++ // without it, Codex only sends ahead what all its turns begin with
    const cut = generate !== false && lost()
    for (const event of cut ? firstHalf(turn) : turn.events) socket.send(dataOf(event))
    if (cut) socket.terminate()
  }

  server.on('upgrade', (request: IncomingMessage, connection, head: Buffer) => {
    const refusal = refuse(request)
    if (refusal === 'silence') return
    if (refusal === undefined) {
      return sockets.handleUpgrade(request, connection, head, socket => {
        socket.on('error', () => {})
        socket.on('message', (data: Buffer) => { answer(socket, data.toString()) })
      })
    }
    const body = JSON.stringify(refusal.body)
    connection.end(`HTTP/1.1 ${refusal.status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
  })
  return counts
}
