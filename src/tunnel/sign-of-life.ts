import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { pingFrames, type FrameTracker } from '../wire/frames.ts'
import type { Delivery } from './delivery.ts'

/** How much longer than for an answer to a message it is waited for a sign of life. */
const PATIENCE = 1.5

/** What is known of an upstream over all its WebSockets. */
export interface Pongs {
  /** Whether it has ever answered a ping. */
  seen: boolean
}

export interface SignOfLifeOptions {
  upstream: Duplex
  /** Frames of both directions. */
  fromClient: FrameTracker
  fromUpstream: FrameTracker
  /** ms of silence after a client's message until the upstream is asked for a sign of life. */
  patience: number
  pongs: Pongs
  /** What the system knows of the bytes sent to the upstream. */
  delivery: () => Promise<Delivery>
  /** The upstream is gone. */
  onDead: () => void
}

/**
 * Finds out that an upstream is gone while a client waits for its answer: a host that vanished sends neither FIN nor RST, and
 * the system goes on sending for a quarter of an hour. Only then, and only between two frames of the client, a ping of ours
 * goes to the upstream; its pong (RFC 6455 section 5.5.3) is for us. It also makes sure that something is under way that the
 * other system has to acknowledge. Without a byte from the upstream that decides: servers exist that answer no ping, or are too
 * busy to, and their systems acknowledge all the same. Only where the system does not tell, an upstream that has
 * answered pings before and no longer does is gone.
 */
export class SignOfLife {
  readonly #options: SignOfLifeOptions
  readonly #ping: Buffer
  readonly #pong: Buffer
  /** Pongs of ours that may still come. */
  #owed = 0
  /** What may be the beginning of one. */
  #held = Buffer.alloc(0)
  /** Data frames of the upstream when the last message of the client came. */
  #answeredBy = 0
  /** When the first message came that is unanswered, and the last byte of the upstream. */
  #messageAt = 0
  #heardAt = 0
  /** Pings of the client that the upstream has had the time to answer. */
  #pings = 0
  #timer: NodeJS.Timeout | undefined

  constructor (options: SignOfLifeOptions) {
    this.#options = options
    const { ping, pong } = pingFrames(randomBytes(8), randomBytes(4))
    this.#ping = ping
    this.#pong = pong
  }

  /** Takes note of what the client sends. */
  sent (bytes: Buffer): void {
    const { fromClient, fromUpstream, patience } = this.#options
    const { data } = fromClient
    fromClient.push(bytes)
    if (fromClient.data === data) return
    if (this.#timer === undefined || this.#answered) this.#messageAt = performance.now()
    this.#answeredBy = fromUpstream.data
    this.#timer ??= setTimeout(this.#look, patience).unref()
  }

  /** Takes note of what the upstream sends, and gives it without what is for us. */
  received (bytes: Buffer): Buffer {
    const { fromUpstream, fromClient, pongs } = this.#options
    this.#heardAt = performance.now()
    this.#pings = fromClient.pings
    const rest = this.#owed === 0 ? bytes : this.#withoutPong(bytes)
    if (rest === bytes) fromUpstream.push(bytes)
    if (fromUpstream.pongs > 0) pongs.seen = true
    return rest
  }

  /** Whether a message of the client has no answer yet: a model may think for minutes before its first word. */
  get isWaiting (): boolean { return this.#messageAt > 0 && !this.#answered }

  /** Whether the upstream has begun a message since the client's last one. */
  get #answered (): boolean { return this.#options.fromUpstream.data !== this.#answeredBy }

  #withoutPong (bytes: Buffer): Buffer {
    const { fromUpstream, pongs } = this.#options
    const all = Buffer.concat([this.#held, bytes])
    const passed: Buffer[] = []
    this.#held = Buffer.alloc(0)
    for (let at = 0; at < all.length;) {
      const begin = at
      const size = Math.min(this.#pong.length, all.length - at)
      if (!fromUpstream.onBoundary || this.#owed === 0 || this.#pong.compare(all, at, at + size, 0, size) !== 0) {
        at = fromUpstream.step(all, at)
        passed.push(all.subarray(begin, at))
      } else if (size < this.#pong.length) {
        this.#held = all.subarray(at)
        break
      } else {
        at += size
        this.#owed--
        pongs.seen = true
      }
    }
    return Buffer.concat(passed)
  }

  readonly #look = (): void => {
    this.#timer = undefined
    const { upstream, fromClient, patience } = this.#options
    if (this.#answered || !upstream.writable) return
    const since = Math.max(this.#messageAt, this.#heardAt)
    const left = upstream.isPaused() ? patience : since + patience - performance.now() // paused, the silence is ours
    if (left > 0) {
      this.#timer = setTimeout(this.#look, left).unref()
      return
    }
    // A ping of the client's own will do; and an upstream may answer only the last one.
    if (fromClient.onBoundary && fromClient.pings === this.#pings) {
      upstream.write(this.#ping)
      this.#owed++
    }
    const askedAt = performance.now()
    this.#timer = setTimeout(() => { void this.#judge(askedAt) }, patience * PATIENCE).unref()
  }

  async #judge (askedAt: number): Promise<void> {
    const { upstream, delivery, pongs, onDead } = this.#options
    const known = await delivery()
    const silent = this.#heardAt < askedAt && upstream.writable && !upstream.isPaused()
    if (silent && (known === 'lost' || (known === 'unknown' && pongs.seen))) onDead()
    else {
      this.#heardAt = Math.max(this.#heardAt, askedAt)
      this.#look()
    }
  }
}
