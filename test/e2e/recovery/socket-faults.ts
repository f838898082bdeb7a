import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { firstHalf, type Turn } from '../../fixtures/streams.ts'
import { ANSWER } from './answer.ts'
import { LOST, RESET, TODAY } from './endings.ts'

/** One turn over a WebSocket. */
export interface Told { readonly socket: WebSocket, readonly raw: Socket, readonly turn: Turn }

export type SocketFault = (told: Told) => Promise<void> | void

/** Milliseconds in which what was sent reaches the client before its connection ends. */
const ARRIVES = 200

const dataOf = (event: string): string => event.slice(event.indexOf('data: ') + 6).trim()

/** Sends a turn's events as messages. */
export const tell = (socket: WebSocket, events: readonly string[]): void => { for (const event of events) socket.send(dataOf(event)) }

/** A Realtime session with one answer, or with the first half of it and then nothing more. */
export function converse (socket: WebSocket, lost: boolean): void {
  const say = (message: object): void => { socket.send(JSON.stringify(message)) }
  say({ type: 'session.created', session: { type: 'realtime' } })
  socket.on('error', () => {}).on('message', () => {
    say({ type: 'response.output_text.delta', delta: lost ? ANSWER.slice(0, ANSWER.length / 2) : ANSWER })
    if (lost) socket.terminate()
    else say({ type: 'response.done', response: {} })
  })
}

const half = (end: SocketFault): SocketFault => async told => {
  tell(told.socket, firstHalf(told.turn))
  await sleep(ARRIVES)
  await end(told)
}
const cut: SocketFault = ({ raw }) => void raw.resetAndDestroy()
const fin: SocketFault = ({ raw }) => void raw.end()
const close = (code: number, reason: string): SocketFault => ({ socket }) => { socket.close(code, reason) }
const explained = (message: string, code = 'upstream_reset'): SocketFault => ({ socket }) => {
  socket.send(JSON.stringify({ type: 'error', status: 502, error: { type: 'api_error', code, message, param: null } }))
  socket.close(1011, `${code}: ${message}`.slice(0, 120))
}
const failed = (message: string): SocketFault => ({ socket }) => {
  socket.send(JSON.stringify({ type: 'response.failed', sequence_number: 9, response: { id: 'resp_1', object: 'response', status: 'failed', error: { code: 'server_error', message }, output: [] } }))
  socket.close(1011, message.slice(0, 120))
}

/** What happens to a turn's WebSocket: what upstreams do, and what we could make of it. */
export const socketFaults: Readonly<Record<string, SocketFault>> = Object.fromEntries(Object.entries({
  reset: cut, FIN: fin, 'bare 1011': close(1011, ''), '1011 today': close(1011, `upstream_reset: ${TODAY}`.slice(0, 120)), '1011 reset words': close(1011, RESET.slice(0, 120)),
  'bare 1012': close(1012, ''), 'error today + 1011': explained(TODAY), 'error lost words + 1011': explained(LOST), 'error reset words + 1011': explained(RESET), 'failed reset words + 1011': failed(RESET)
}).flatMap(([name, fault]) => [[`ws at once: ${name}`, fault], [`ws in its middle: ${name}`, half(fault)]]))
