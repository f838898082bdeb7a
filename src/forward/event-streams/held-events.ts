/** An event longer than this many bytes is passed on before it is whole. */
const HELD = 1 << 20

/** Bytes that the first piece of an event gets room for. */
const ROOM = 1_024

/** Holds back the last, incomplete event of a stream. Each byte is copied a constant number of times, however small its pieces are. */
export class HeldEvents {
  #bytes = Buffer.alloc(0)
  #length = 0

  /** Whether something is held back: what was passed on ends on an event boundary then. */
  get any (): boolean { return this.#length > 0 }

  /**
   * Takes a piece in and returns what can be passed on.
   * @param boundary index in it behind the last whole event, or -1
   * @param within whether what was passed on before ends within an event, of which nothing is held back then
   */
  push (piece: Buffer, boundary: number, within: boolean): Buffer {
    if (boundary === piece.length) return this.#release(piece)
    if (boundary >= 0) {
      const whole = this.#release(piece.subarray(0, boundary))
      this.#keep(piece.subarray(boundary))
      return whole
    }
    if (within) return piece
    if (this.#length + piece.length > HELD) return this.#release(piece)
    this.#keep(piece)
    return this.#bytes.subarray(0, 0)
  }

  /** What is held back, on an orderly end. */
  rest (): Buffer { return this.#release(Buffer.alloc(0)) }

  #release (end: Buffer): Buffer {
    if (this.#length === 0) return end
    const whole = Buffer.concat([this.#bytes.subarray(0, this.#length), end])
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return whole
  }

  /** A copy: the piece is part of a larger buffer, which it would keep from being freed. */
  #keep (piece: Buffer): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(ROOM, 2 * length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    piece.copy(this.#bytes, this.#length)
    this.#length = length
  }
}
