export const QUOTE = 0x22
export const BACKSLASH = 0x5c

/** Characters of a string that are looked at one by one: what is longer is left to `indexOf`, which costs more to call and hardly anything a character. */
export const SHORT = 64

/** The next character in a piece that matters within a string. None is looked at twice for the same. */
export class Ahead {
  readonly #text: string
  readonly #to: number
  #quote = -1
  #backslash = -1

  /** @param to index in it at which it ends */
  constructor (text: string, to: number) {
    this.#text = text
    this.#to = to
  }

  /** @returns its index, or that of the end of the piece */
  next (from: number): number {
    if (this.#quote < from) this.#quote = this.#find('"', from)
    if (this.#backslash < from) this.#backslash = this.#find('\\', from)
    return Math.min(this.#quote, this.#backslash)
  }

  #find (character: string, from: number): number {
    const at = this.#text.slice(from, this.#to).indexOf(character)
    return at < 0 ? this.#to : from + at
  }
}
