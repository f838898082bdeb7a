import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { responsesTurn, sendStream } from '../../fixtures/streams.ts'
import { json } from '../../fixtures/upstream.ts'
import { turnOn } from './answer.ts'
import type { Case } from './cases.ts'
import { isForeign, keys, PROVIDERS, refusals, type Provider } from './providers.ts'
import { converse, tell } from './socket-faults.ts'

/** A request as it arrived. */
export interface Arrival {
  /** Milliseconds since the case began. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly agent: string
  /** Whether the client's turn hangs on it. */
  readonly turn: boolean
  /** Whether its credential was meant for another company. */
  readonly foreign: boolean
}

/** Connections of this network namespace that were refused so far. Linux. */
function refusedSoFar (): number {
  const [names = '', values = ''] = readFileSync('/proc/net/snmp', 'utf8').split('\n').filter(line => line.startsWith('Tcp:'))
  return Number(values.split(' ')[names.split(' ').indexOf('AttemptFails')])
}

/** The credential of a request, wherever a client puts it. */
function credentialOf ({ headers }: IncomingMessage): string {
  const key = headers['x-api-key'] ?? /openai-insecure-api-key\.([^,\s]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]
  return typeof key === 'string' ? key : (headers.authorization ?? '').replace(/^Bearer /, '')
}

/** Codex compresses where it is signed in with ChatGPT, and always wants a stream. */
const textOf = (request: IncomingMessage, body: Buffer): string => request.headers['content-encoding'] === 'zstd' ? '{"stream":true}' : body.toString()

const isJson = ({ headers }: IncomingMessage): boolean => headers['content-type']?.startsWith('application/json') === true

const noPath = { error: { message: 'no such path', type: 'invalid_request_error', param: null, code: null } }
const file = { id: 'file_1', object: 'file', type: 'file', bytes: 5, size_bytes: 5, filename: 'a.txt', mime_type: 'text/plain', purpose: 'user_data', status: 'processed' }

/** What pages may do at the real ones. */
const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*, authorization', 'access-control-allow-methods': '*', 'access-control-max-age': '60' }

/** What is answered beside turns. */
function answerBeside (request: IncomingMessage, response: ServerResponse, path: string): void {
  if (path.endsWith('/models')) return json(response, 200, { object: 'list', data: [], models: [], has_more: false, first_id: null, last_id: null })
  if (path.endsWith('/count_tokens')) return json(response, 200, { input_tokens: 12 })
  if (path.endsWith('/files') && request.method === 'POST') return json(response, 200, { ...file, created_at: request.headers['anthropic-version'] === undefined ? 1_767_225_600 : '2026-01-01T00:00:00Z' })
  json(response, 404, noPath)
}

/**
 * Stand-ins for the three companies, which fail as they are told.
 * @param takes whether one takes a credential
 */
export async function startStandIn (takes = (provider: Provider, credential: string): boolean => credential === keys[provider].good) {
  const seen: Arrival[] = []
  const connections = new Set<Socket>()
  const ports = new Map<Provider, number>()
  let now: Case = { name: 'good turn', standing: 'good', times: 0 }
  let main: (body: string) => boolean = () => true
  let left = 0
  let began = performance.now()
  let open = true

  const arrive = (request: IncomingMessage, provider: Provider, turn: boolean): boolean => {
    const credential = credentialOf(request)
    const { method = '', url: path = '', headers } = request
    const agent = `${headers['user-agent'] ?? ''}${typeof headers['originator'] === 'string' ? ` (originator ${headers['originator']})` : ''}`
    seen.push({ at: Math.round(performance.now() - began), method, path, agent, turn, foreign: isForeign(provider, request) })
    return takes(provider, credential)
  }

  function answer (request: IncomingMessage, response: ServerResponse, provider: Provider, body: string): void {
    for (const [name, value] of Object.entries(cors)) response.setHeader(name, value)
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    const path = (request.url ?? '').replace(/\?.*$/, '')
    const asked = isJson(request) && body !== '' ? JSON.parse(body) as { model?: string, stream?: boolean } : {}
    const found = request.method === 'POST' ? turnOn(path, asked.model) : undefined
    const turn = found === undefined ? now.upload === true && path.endsWith('/files') : main(body)
    if (!arrive(request, provider, turn) && request.method !== 'HEAD') return json(response, 401, refusals[provider])
    if (found === undefined) return answerBeside(request, response, path)
    const stream = asked.stream === true
    if (turn && now.fault !== undefined && left-- > 0) return void now.fault({ request, response, stream, ...found })
    if (stream) sendStream(response, found.turn.events)
    else json(response, 200, found.turn.body)
  }

  const webSockets = new WebSocketServer({ noServer: true })
  function upgrade (request: IncomingMessage, raw: Socket, head: Buffer, provider: Provider): void {
    const realtime = request.url?.includes('/realtime') === true
    const taken = arrive(request, provider, realtime)
    if (!taken || (now.socketFault === undefined && !realtime)) {
      const body = taken ? '' : JSON.stringify(refusals[provider])
      raw.end(`HTTP/1.1 ${taken ? '426 Upgrade Required' : '401 Unauthorized'}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`)
      return
    }
    webSockets.handleUpgrade(request, raw, head, socket => {
      if (realtime) return converse(socket, now.times > 0)
      socket.on('error', () => {}).on('message', (data: Buffer) => {
        const { generate, model } = JSON.parse(data.toString()) as { generate?: boolean, model?: string }
        if (generate === false) return tell(socket, responsesTurn('', model).events) // Codex sends ahead what all its turns begin with
        const found = turnOn('/responses', model)
        if (found === undefined) return
        seen.push({ at: Math.round(performance.now() - began), method: 'message', path: request.url ?? '', agent: '', turn: true, foreign: false })
        if (now.socketFault !== undefined && left-- > 0) void now.socketFault({ socket, raw, turn: found.turn })
        else tell(socket, found.turn.events)
      })
    })
  }

  const servers = PROVIDERS.map((provider): [Provider, Server] => [provider, createServer({ maxHeaderSize: 262_144 }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => { answer(request, response, provider, textOf(request, Buffer.concat(chunks))) })
  }).on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket)).on('error', () => {})
  }).on('upgrade', (request, socket: Socket, head: Buffer) => { upgrade(request, socket, head, provider) })])
  for (const [provider, server] of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports.set(provider, (server.address() as AddressInfo).port)
  }

  const hangUp = (): void => {
    for (const socket of connections) socket.destroy()
    for (const [, server] of servers) server.close()
  }
  /** Nobody listens for so long, from the first connection that is refused. */
  async function refuse (ms: number): Promise<void> {
    hangUp()
    const before = refusedSoFar()
    while (open && refusedSoFar() === before) await sleep(20)
    await sleep(ms)
    if (open) for (const [provider, server] of servers) server.listen(ports.get(provider), '127.0.0.1')
  }

  return {
    /** Origin of each. */
    urls: Object.fromEntries([...ports].map(([provider, port]) => [provider, `http://127.0.0.1:${port}`])) as Readonly<Record<Provider, string>>,
    seen,
    /**
     * What happens from now on.
     * @param isMain whether a request with this body belongs to the turn itself; clients ask for titles and quotas beside it
     */
    begin (next: Case, isMain: (body: string) => boolean = () => true): void {
      now = next
      main = isMain
      left = next.times
      seen.length = 0
      began = performance.now()
      if (next.refuse !== undefined) void refuse(next.refuse)
    },
    /** Milliseconds since the case began. */
    now: (): number => performance.now() - began,
    close (): void {
      open = false
      hangUp()
    }
  }
}

export type StandIn = Awaited<ReturnType<typeof startStandIn>>
