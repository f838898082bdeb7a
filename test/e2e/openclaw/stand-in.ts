import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'
import { firstHalf, responsesTurn } from '../../fixtures/streams.ts'
import { json } from '../../fixtures/upstream.ts'

/** What the upstream thinks of a token. */
export type Standing = 'good' | 'bad' | 'expired' | 'revoked'
/** What goes wrong for the helper; a refused upgrade is answered with 503. */
export type Fault = 'reset' | 'hang' | 'half' | 'refused upgrade'

/** One request or upgrade as it arrived, with what the token is worth. */
export interface Arrival { readonly kind: 'POST' | 'upgrade' | 'other', readonly standing: Standing, readonly path: string }

/** The answers, told apart by who asked. */
export const ANSWER = { main: 'The main agent goes on with its work one word after the other until all of it is said', helper: 'A short answer for the side' }
/** Milliseconds between the events of a turn that is held. */
const PACE = 300

const refusals: Record<Exclude<Standing, 'good'>, object> = {
  bad: { error: { message: 'Provided authentication token is invalid.', type: 'invalid_request_error', code: 'token_invalidated', param: null } },
  expired: { error: { message: 'Provided authentication token is expired. Please try signing in again.', type: 'invalid_request_error', code: 'token_expired', param: null } },
  revoked: { error: { message: 'Your authentication token has been revoked.', type: 'invalid_request_error', code: 'token_revoked', param: null } }
}

/** A stand-in for the Codex route: event streams and WebSockets, slow turns, tokens that are refused, and faults to order. */
export async function startStandIn (t: Pick<Test, 'teardown'>, tokens: Readonly<Record<string, Standing>>) {
  const seen: Arrival[] = []
  const sockets = new Set<Socket>()
  const order: { fault?: Fault, asker: keyof typeof ANSWER } = { asker: 'main' }
  let held: Promise<void> | undefined

  const arrive = (request: IncomingMessage, kind: Arrival['kind']): Standing => {
    const standing = tokens[(request.headers.authorization ?? '').replace(/^Bearer /, '')] ?? 'bad'
    seen.push({ kind, standing, path: request.url ?? '' })
    return standing
  }

  /** Which events to send to whoever asks now, how far apart, and whether it is the helper. */
  function answerNow () {
    const helper = order.asker === 'helper'
    const turn = responsesTurn(ANSWER[order.asker])
    const events = helper && order.fault === 'half' ? firstHalf(turn) : turn.events
    return { helper, events, held: helper ? undefined : held }
  }

  /** Sends the events; those of a held turn one after the other, the last ones not before it is released. */
  async function tell ({ events, held }: ReturnType<typeof answerNow>, send: (event: string) => void): Promise<void> {
    for (const [i, event] of events.entries()) {
      if (held !== undefined) await (i < events.length - 5 ? sleep(PACE) : held)
      send(event)
    }
  }

  async function respond (request: IncomingMessage, response: ServerResponse): Promise<void> {
    await finished(request.resume(), { writable: false })
    const isTurn = request.method === 'POST' && (request.url ?? '').endsWith('/responses')
    const standing = arrive(request, isTurn ? 'POST' : 'other')
    if (standing !== 'good') { json(response, 401, refusals[standing]); return }
    if (!isTurn) { json(response, 200, { object: 'list', data: [], models: [] }); return }
    const answer = answerNow()
    const { helper } = answer
    if (helper && order.fault === 'reset') { request.socket.resetAndDestroy(); return }
    if (helper && order.fault === 'hang') return
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    await tell(answer, event => { response.write(event) })
    response.end()
  }

  async function converse (socket: WebSocket, raw: Socket): Promise<void> {
    const answer = answerNow()
    const { helper } = answer
    if (helper && order.fault === 'reset') { raw.resetAndDestroy(); return }
    if (helper && order.fault === 'hang') return
    await tell(answer, event => { socket.send(event.replace(/^(?:event: .*\n)?data: /, '').trim()) })
    if (helper && order.fault === 'half') socket.close()
  }

  const server = createServer({ maxHeaderSize: 262_144 }, (request, response) => {
    request.on('error', () => {})
    respond(request, response).catch(() => { response.destroy() }) // the client has gone
  })
  const webSockets = new WebSocketServer({ noServer: true })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
  })
  server.on('upgrade', (request, socket: Socket, head) => {
    const standing = arrive(request, 'upgrade')
    const refuse = (status: string, body: object): void => {
      const text = JSON.stringify(body)
      socket.end(`HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`)
    }
    if (standing !== 'good') { refuse('401 Unauthorized', refusals[standing]); return }
    if (order.fault === 'refused upgrade') { refuse('503 Service Unavailable', { error: { message: 'no WebSockets now', type: 'server_error', code: null, param: null } }); return }
    if (order.fault === 'hang') return
    if (order.fault === 'reset') { socket.resetAndDestroy(); return }
    webSockets.handleUpgrade(request, socket, head, webSocket => {
      webSocket.on('error', () => {})
      webSocket.on('message', () => { converse(webSocket, socket).catch(() => {}) })
    })
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    /** What goes wrong from now on, and who asks. */
    order,
    /** The main agent's turns that begin from now on stream slowly and do not end before the function returned is called. */
    hold (): () => void {
      let release = (): void => {}
      held = new Promise(resolve => {
        release = () => {
          held = undefined
          resolve()
        }
      })
      return () => { release() }
    }
  }
}
