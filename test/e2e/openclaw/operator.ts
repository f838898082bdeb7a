import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'

type Fields = Record<string, unknown>
interface Frame { type: string, id?: string, ok?: boolean, payload?: Fields, error?: { code: string, message: string }, event?: string }

/** An event that the gateway sent to its client. */
export interface GatewayEvent { readonly name: string, readonly payload: Fields }

const SCOPES = ['operator.admin', 'operator.read', 'operator.write', 'operator.approvals', 'operator.pairing']
const client = { id: 'gateway-client', version: '1.0.0', platform: 'linux', mode: 'backend' }

/** The client's own proof of who it is: a key pair of its own signs the gateway's challenge. */
function device (token: string, nonce: string): Fields {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32)
  const id = createHash('sha256').update(key).digest('hex')
  const signedAt = Date.now()
  const text = ['v3', id, client.id, client.mode, 'operator', SCOPES.join(','), signedAt, token, nonce, client.platform, ''].join('|')
  return { id, publicKey: key.toString('base64url'), signature: sign(null, Buffer.from(text), privateKey).toString('base64url'), signedAt, nonce }
}

/** A client of the gateway, as the TUI and the apps are: one WebSocket, requests and events. */
export class Operator {
  readonly #socket: WebSocket
  readonly #waiting = new Map<string, (frame: Frame) => void>()
  readonly #watchers = new Set<(event: GatewayEvent) => void>()
  /** Whether the gateway or the network ended the connection. */
  lost = false

  private constructor (socket: WebSocket) {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.lost = true
      for (const answer of this.#waiting.values()) answer({ type: 'res', ok: false, error: { code: 'LOST', message: 'the gateway closed the connection' } })
    })
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame
      if (frame.type === 'res') this.#waiting.get(frame.id ?? '')?.(frame)
      else for (const watch of this.#watchers) watch({ name: frame.event ?? '', payload: frame.payload ?? {} })
    })
  }

  static async connect (port: number, token: string): Promise<Operator> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { maxPayload: 26_214_400 })
    const operator = new Operator(socket)
    const challenge = new Promise<Fields>(resolve => operator.watch(({ name, payload }) => { if (name === 'connect.challenge') resolve(payload) }))
    await once(socket, 'open')
    const { nonce } = await challenge
    await operator.call('connect', {
      minProtocol: 3, maxProtocol: 4, client, role: 'operator', scopes: SCOPES, caps: [], commands: [], auth: { token }, device: device(token, String(nonce))
    })
    return operator
  }

  /** The gateway's answer to one request; its refusal is thrown. */
  async call (method: string, params: Fields): Promise<Fields> {
    const id = randomUUID()
    const answer = new Promise<Frame>(resolve => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ type: 'req', id, method, params }))
    const { ok, payload, error } = await answer
    this.#waiting.delete(id)
    if (ok !== true) throw new Error(`${method}: ${error?.code ?? ''} ${error?.message ?? ''}`)
    return payload ?? {}
  }

  /** Hears all events from now on, until the function returned is called. */
  watch (watcher: (event: GatewayEvent) => void): () => void {
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  close (): void { this.#socket.terminate() }
}
