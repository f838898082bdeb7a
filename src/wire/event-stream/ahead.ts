export const QUOTE = 0x22
export const BACKSLASH = 0x5c

/** Bytes of a string that are looked at one by one: what is longer is left to `indexOf`, which costs more to call and hardly anything a byte. */
export const SHORT = 64

/** The next byte in a piece that matters within a string. No byte is looked at twice for the same. */
export class Ahead {
  readonly #bytes: Buffer
  readonly #to: number
  #quote = -1
  #backslash = -1

  /** @param to index in it at which it ends */
  constructor (bytes: Buffer, to: number) {
    this.#bytes = bytes
    this.#to = to
  }

  /** @returns its index, or that of the end of the piece */
  next (from: number): number {
    if (this.#quote < from) this.#quote = this.#find(QUOTE, from)
    if (this.#backslash < from) this.#backslash = this.#find(BACKSLASH, from)
    return Math.min(this.#quote, this.#backslash)
  }

  #find (byte: number, from: number): number {
    const at = this.#bytes.subarray(from, this.#to).indexOf(byte)
    return at < 0 ? this.#to : from + at
  }
}
