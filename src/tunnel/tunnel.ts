import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { SidecarError } from '../answers/errors.ts'
import { Intake } from '../downstream/intake.ts'
import type { Ending } from '../telemetry/ending.ts'
import { closeFrame, FrameTracker, textFrame } from '../wire/frames.ts'
import { jsonObject } from '../wire/json.ts'
import { textMessages } from '../wire/text-messages.ts'
import type { Delivery } from './delivery.ts'
import { SignOfLife, type Pongs } from './sign-of-life.ts'

/** RFC 6455 section 7.4.1 and the IANA registry. */
const INTERNAL_ERROR = 1011
const SERVICE_RESTART = 1012

/** ms until a socket whose peer does not close its side is closed for it. */
const LINGER = 2_000

/** What undici hands over after a 101: a TCP or TLS socket. */
export type UpgradedSocket = Duplex & Pick<Socket, 'setNoDelay' | 'destroySoon' | 'localPort' | 'remotePort'>

export interface TunnelOptions {
  client: Socket
  upstream: UpgradedSocket
  /**
   * Whether the client understands error messages in the Responses dialect. It gets none before a message of the upstream:
   * pi-ai falls back to HTTP only while nothing has come.
   */
  explains: boolean
  /** Is told an error message of the upstream that can be read, as parsed JSON. */
  overhear: (event: unknown) => void
  /** Told where the upstream ends it after next to nothing. */
  doubt: () => void
  /** ms of silence both ways until the tunnel ends. */
  idle: number
  /** ms that a client may take nothing of what there is for it. */
  idleDownload: number
  /** ms without a byte after which it counts as idle when we shut down. */
  quiet: number
  /** ms of silence after a client's message until the upstream is asked for a sign of life. */
  ping: number
  pongs: Pongs
  /** What the system knows of the bytes sent to the upstream. */
  delivery: () => Promise<Delivery>
  /** Called once, when both sockets are closed. */
  onEnd: (ending: Ending) => void
}

/** Bytes of an upstream that ends a tunnel early: an error message and a Close, but no answer. */
const LITTLE = 1_024

const ignore = (): void => {}

/**
 * Two sockets after the upstream's 101, joined byte for byte with back-pressure both ways. When the upstream is lost
 * the client is told, in a frame where one fits; the client's socket never just vanishes.
 */
export class Tunnel {
  readonly #options: TunnelOptions
  /** Those of the upstream. */
  readonly #frames = new FrameTracker()
  readonly #intake: Intake
  readonly #life: SignOfLife
  #ending: Ending | undefined
  #lastByteAt = performance.now()
  /** Bytes that came from the upstream. */
  #received = 0
  #timer: NodeJS.Timeout | undefined

  constructor (options: TunnelOptions) {
    this.#options = options
    const { client, upstream, idle, idleDownload, ping, pongs, delivery, overhear, doubt } = options
    this.#intake = new Intake(client, idleDownload)
    client.setNoDelay(true).setTimeout(0)
    upstream.setNoDelay(true)
    this.#afterSilence(idle, () => { this.#lose(new SidecarError('upstream_timeout', { detail: 'the WebSocket fell silent' })) })

    const life = this.#life = new SignOfLife({
      upstream, pongs, delivery, patience: ping, fromClient: new FrameTracker(), fromUpstream: this.#frames,
      onDead: () => { this.#lose(new SidecarError('upstream_timeout', { detail: 'no sign of life on the WebSocket, not even to a ping' })) }
    })

    upstream.on('data', (chunk: Buffer) => {
      this.#received += chunk.length
      if (this.#frames.onBoundary) for (const message of textMessages(chunk)) if (message.includes('"error"')) overhear(jsonObject(message))
      this.#pass(life.received(chunk), upstream, client)
    })
    upstream.once('end', () => { if (this.#received < LITTLE && this.#ending === undefined) doubt() })
    upstream.on('drain', () => { client.resume() })
    upstream.on('error', ignore) // its `close` says all that matters
    const lost = (): void => { this.#lose(new SidecarError('upstream_reset', { detail: 'without a Close frame' })) }
    upstream.on('end', lost)
    upstream.on('close', lost)

    client.on('data', (chunk: Buffer) => {
      life.sent(chunk)
      this.#pass(chunk, client, upstream)
    })
    client.on('end', () => {
      this.#ending ??= this.#frames.closed ? 'whole' : 'client_gone'
      upstream.end()
      this.#closeSoon(upstream)
    })
    client.on('close', () => {
      clearTimeout(this.#timer)
      this.#intake.end()
      upstream.destroy()
      options.onEnd(this.#ending ?? 'client_gone')
    })
  }

  /** Our own shutdown: an idle tunnel is closed now, a busy one when it falls silent with nothing left to answer. */
  drain (): void {
    const { quiet } = this.#options
    this.#afterSilence(quiet, () => {
      if (!this.#life.isWaiting) return this.stop()
      this.#lastByteAt = performance.now()
      this.drain()
    })
  }

  /** Ends the tunnel: Close 1012, and the client's own Close goes on to the upstream, which then closes. */
  stop (): void {
    clearTimeout(this.#timer)
    const { client, upstream } = this.#options
    if (!this.#frames.onBoundary || this.#frames.closed) {
      this.#ending ??= 'cut'
      client.destroy()
      return
    }
    this.#ending ??= 'explained'
    upstream.removeAllListeners('data').resume() // nothing may follow a Close frame
    client.write(closeFrame(SERVICE_RESTART, 'codex-sidecar is restarting; connect again'))
    this.#closeSoon(upstream)
  }

  #pass (chunk: Buffer, from: Duplex, to: Duplex): void {
    this.#lastByteAt = performance.now()
    if (!to.writable) return // it is on its way out, and only the end of the other one is still waited for
    if (to.write(chunk) || to.writableLength === 0) return // the system may have taken all of it at once
    from.pause()
    if (to === this.#options.client) this.#intake.wait(() => { from.resume() })
  }

  /** Calls `then` after so many ms without a byte, instead of what was to be called before. */
  #afterSilence (ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    const left = this.#lastByteAt + ms - performance.now()
    if (left <= 0) then()
    else this.#timer = setTimeout(() => { this.#afterSilence(ms, then) }, left)
  }

  /** The upstream will send nothing more. */
  #lose ({ code, status, message, type }: SidecarError): void {
    const { client, upstream, explains } = this.#options
    if (this.#ending !== undefined || this.#frames.closed) {
      this.#ending ??= 'whole'
      client.end()
    } else if (this.#frames.onBoundary) {
      this.#ending = 'explained'
      if (explains && this.#frames.afterMessage) client.write(textFrame(JSON.stringify({ type: 'error', status, error: { type, code, message, param: null } })))
      client.end(closeFrame(INTERNAL_ERROR, `${code}: ${message}`))
    } else {
      this.#ending = 'cut'
      client.destroy() // within a frame nothing can be said
    }
    this.#closeSoon(client)
    upstream.destroySoon()
  }

  /** Gives a peer a moment to close its side by itself. */
  #closeSoon (socket: Duplex): void {
    const timer = setTimeout(() => { socket.destroy() }, LINGER)
    socket.once('close', () => { clearTimeout(timer) })
  }
}
