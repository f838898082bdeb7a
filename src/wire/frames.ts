/** WebSocket frames as far as a proxy must know them (RFC 6455 section 5): where one ends, and how to send our own. */

const TEXT = 0x1
const CLOSE = 0x8
const PING = 0x9
const PONG = 0xa
/** Opcodes from here on are control frames, which may stand within a fragmented message. */
const CONTROL = 0x8

/** Longest frame head without its mask, bytes: two, and eight for the length. */
const HEAD = 10

/** Follows the frames of one direction without looking at what they carry or keeping any of it. */
export class FrameTracker {
  /** Bytes of the present frame's payload that are still to come. */
  #payload = 0
  /** Bytes of the present frame's head: those that came, and all of them as far as is known. */
  #headBytes = 0
  #headSize = 2
  #first = 0
  /** Bytes of payload that the head announces, as far as it came, and of the mask. */
  #length = 0
  #mask = 0
  #fragmented = false
  #closing = false
  #closed = false
  /** Data frames that have begun. */
  data = 0
  /** Pings and pongs that have begun. */
  pings = 0
  pongs = 0

  /** Whether a frame of ours can follow. */
  get onBoundary (): boolean { return this.#payload === 0 && this.#headBytes === 0 }
  /** Whether a data frame of ours can follow too: no fragmented message is open. */
  get betweenMessages (): boolean { return this.onBoundary && !this.#fragmented }
  /** Whether a whole message has passed, and none is open. */
  get afterMessage (): boolean { return this.data > 0 && this.betweenMessages }
  /** Whether the server's Close frame has passed whole: nothing may follow it. */
  get closed (): boolean { return this.#closed }

  /** Takes note of bytes that are passed on. */
  push (bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) at = this.step(bytes, at)
  }

  /** Takes note of the bytes from `at` to the end of their frame, as far as they are there. Gives where they end. */
  step (bytes: Buffer, at: number): number {
    let end = at
    do {
      if (this.#payload > 0) {
        const taken = Math.min(this.#payload, bytes.length - end)
        this.#payload -= taken
        end += taken
      } else this.#readHead(bytes[end++] as number)
    } while (end < bytes.length && !this.onBoundary)
    if (this.#closing && this.onBoundary) this.#closed = true
    return end
  }

  /** Goes on to the payload once the head is whole. */
  #readHead (byte: number): void {
    this.#headBytes++
    if (this.#headBytes === 1) this.#first = byte
    else if (this.#headBytes > 2) this.#length = this.#length * 256 + byte
    else {
      const short = byte & 0x7f
      this.#mask = (byte & 0x80) === 0 ? 0 : 4 // clients do, servers may not; the key counts as payload
      this.#headSize = short < 126 ? 2 : short === 126 ? 4 : HEAD
      this.#length = short < 126 ? short : 0
    }
    if (this.#headBytes < this.#headSize) return
    this.#payload = this.#mask + this.#length
    this.#headBytes = 0
    this.#headSize = 2
    const opcode = this.#first & 0x0f
    if (opcode === CLOSE) this.#closing = true
    else if (opcode === PING) this.pings++
    else if (opcode === PONG) this.pongs++
    if (opcode >= CONTROL) return
    this.#fragmented = (this.#first & 0x80) === 0
    this.data++
  }
}

/** Longest reason of a Close frame, bytes: a control frame carries 125, and two are the code. */
const REASON = 123

/** As much of a text as fits into so many bytes of UTF-8, no character cut. */
function fit (text: string, bytes: number): Buffer {
  const whole = Buffer.from(text)
  if (whole.length <= bytes) return whole
  let end = bytes
  while (((whole[end] as number) & 0xc0) === 0x80) end--
  return whole.subarray(0, end)
}

/**
 * An unmasked Close frame, as servers send it.
 * @param code 1000 to 4999
 * @param reason cut to 123 bytes
 */
export function closeFrame (code: number, reason: string): Buffer {
  const text = fit(reason, REASON)
  return Buffer.concat([Buffer.from([0x80 | CLOSE, 2 + text.length, code >> 8, code & 0xff]), text])
}

/** An unmasked, unfragmented, uncompressed text frame. */
export function textFrame (text: string): Buffer {
  const payload = Buffer.from(text)
  const head = payload.length < 126 ? Buffer.from([0x80 | TEXT, payload.length]) : Buffer.from([0x80 | TEXT, 126, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([head, payload])
}

/**
 * A ping as clients send it, masked (RFC 6455 section 5.3), and the pong that answers it (section 5.5.3).
 * @param payload at most 125 bytes
 * @param mask 4 bytes
 */
export function pingFrames (payload: Buffer, mask: Buffer): { ping: Buffer, pong: Buffer } {
  const masked = payload.map((byte, i) => byte ^ (mask[i % mask.length] as number))
  return {
    ping: Buffer.concat([Buffer.from([0x80 | PING, 0x80 | payload.length]), mask, masked]),
    pong: Buffer.concat([Buffer.from([0x80 | PONG, payload.length]), payload])
  }
}
