/** The grammar of event streams (WHATWG HTML section 9.2.6), piece by piece: each byte is looked at once. Pieces are texts, latin1, of which parts cost nothing. */

const SPACE = 0x20
const COLON = 0x3a

const mark = Buffer.from('\ufeff').toString('latin1')

/** Longest name of a field that matters, and longest name of an event that is kept, characters. */
const FIELD = 5
const NAME = 64

/** What the lines of an event are told to. */
export interface LineSink {
  /** A part of its data. */
  data: (text: string, from: number, to: number) => void
  /**
   * It is over.
   * @param name that it gives itself, or empty
   */
  event: (name: string) => void
}

type Field = 'unknown' | 'event' | 'data' | 'comment' | 'ignored'

/** Index of a character, or the length where it does not stand there. */
function next (text: string, character: string, from: number): number {
  const at = text.indexOf(character, from)
  return at < 0 ? text.length : at
}

/** Splits a stream into events. */
export class EventParser {
  readonly #sink: LineSink
  /** Characters of the byte order mark that came; all three also where there is none. */
  #mark = 0
  /** Whether the last byte was a CR, with which an LF makes one line end. */
  #afterCr = false
  #field: Field = 'unknown'
  #prefix = ''
  /** Whether the line holds anything, and whether its next byte is the first of its value. */
  #empty = true
  #valueNext = false
  #name = ''
  #hasData = false
  #open = false

  constructor (sink: LineSink) { this.#sink = sink }

  /** Whether an event of ours could stand here. */
  get onBoundary (): boolean { return !this.#open && this.#empty }

  /** Takes a piece in. Returns the index behind its last character on a boundary, or -1 where no event has ended in it. */
  push (text: string): number {
    let boundary = -1
    let at = this.#mark < mark.length ? this.#skipMark(text) : 0
    let lf = next(text, '\n', at)
    let cr = next(text, '\r', at)
    while (at < text.length) {
      if (lf < at) lf = next(text, '\n', at)
      if (cr < at) cr = next(text, '\r', at)
      const end = lf < cr ? lf : cr
      if (this.#afterCr && lf === at) {
        this.#afterCr = false
        at++
      } else {
        this.#afterCr = false
        if (end > at) this.#line(text, at, end)
        at = end + 1
        if (end === text.length) break
        this.#afterCr = end === cr
        this.#endLine()
      }
      if (this.onBoundary) boundary = at
    }
    return boundary
  }

  /** The stream is over: its last event may lack its blank line. `whole` says whether its data is all there. */
  finish (whole: () => boolean): void {
    if (!this.#empty) this.#endLine()
    if (this.#hasData && whole()) this.#endEvent()
  }

  #skipMark (text: string): number {
    let at = 0
    while (at < text.length && this.#mark < mark.length) {
      if (text[at] !== mark[this.#mark]) this.#mark = mark.length
      else {
        this.#mark++
        at++
      }
    }
    return at
  }

  #line (text: string, from: number, to: number): void {
    this.#empty = false
    let at = this.#field === 'unknown' ? this.#readField(text, from, to) : from
    if (this.#valueNext && at < to) {
      this.#valueNext = false
      if (text.charCodeAt(at) === SPACE) at++
    }
    if (this.#field === 'data') this.#sink.data(text, at, to)
    else if (this.#field === 'event') this.#name += text.slice(at, Math.min(to, at + NAME - this.#name.length))
  }

  /** Reads the name of the line's field. Returns the index behind its colon. */
  #readField (text: string, from: number, to: number): number {
    let at = from
    while (at < to) {
      if (text.charCodeAt(at++) === COLON) {
        const name = this.#prefix + text.slice(from, at - 1)
        this.#field = name === 'data' || name === 'event' ? name : name === '' ? 'comment' : 'ignored'
        if (name === 'event') this.#name = ''
        if (name === 'data') this.#hasData = true
        this.#valueNext = true
        return at
      }
      if (this.#prefix.length + at - from > FIELD) {
        this.#field = 'ignored'
        return to
      }
    }
    this.#prefix += text.slice(from, to)
    return to
  }

  #endLine (): void {
    if (this.#empty) return this.#endEvent()
    if (this.#field !== 'comment') this.#open = true
    this.#empty = true
    this.#field = 'unknown'
    this.#prefix = ''
    this.#valueNext = false
  }

  #endEvent (): void {
    if (this.#hasData) this.#sink.event(this.#name)
    this.#name = ''
    this.#hasData = this.#open = false
  }
}
