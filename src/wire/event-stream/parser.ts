/** The grammar of event streams (WHATWG HTML section 9.2.6), piece by piece: each byte is looked at once. */

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a

const mark = Buffer.from('\ufeff')

/** Longest name of a field that matters, and longest name of an event that is kept, bytes. */
const FIELD = 5
const NAME = 64

/** What the lines of an event are told to. */
export interface LineSink {
  /** A part of its data. */
  data: (bytes: Buffer, from: number, to: number) => void
  /**
   * It is over.
   * @param name that it gives itself, or empty
   */
  event: (name: string) => void
}

type Field = 'unknown' | 'event' | 'data' | 'comment' | 'ignored'

/** Index of a byte, or the length where it does not stand there. */
function next (bytes: Buffer, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from)
  return at < 0 ? bytes.length : at
}

/** Splits a stream into events. */
export class EventParser {
  readonly #sink: LineSink
  /** Bytes of the byte order mark that came; all three also where there is none. */
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

  /** Takes bytes in. Returns the index behind the last one on a boundary, or -1 where no event has ended in them. */
  push (bytes: Buffer): number {
    let boundary = -1
    let at = this.#mark < mark.length ? this.#skipMark(bytes) : 0
    let lf = next(bytes, LF, at)
    let cr = next(bytes, CR, at)
    while (at < bytes.length) {
      if (lf < at) lf = next(bytes, LF, at)
      if (cr < at) cr = next(bytes, CR, at)
      const end = lf < cr ? lf : cr
      if (this.#afterCr && lf === at) {
        this.#afterCr = false
        at++
      } else {
        this.#afterCr = false
        if (end > at) this.#line(bytes, at, end)
        at = end + 1
        if (end === bytes.length) break
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

  #skipMark (bytes: Buffer): number {
    let at = 0
    while (at < bytes.length && this.#mark < mark.length) {
      if (bytes[at] !== mark[this.#mark]) this.#mark = mark.length
      else {
        this.#mark++
        at++
      }
    }
    return at
  }

  #line (bytes: Buffer, from: number, to: number): void {
    this.#empty = false
    let at = this.#field === 'unknown' ? this.#readField(bytes, from, to) : from
    if (this.#valueNext && at < to) {
      this.#valueNext = false
      if (bytes[at] === SPACE) at++
    }
    if (this.#field === 'data') this.#sink.data(bytes, at, to)
    else if (this.#field === 'event') this.#name += bytes.toString('latin1', at, Math.min(to, at + NAME - this.#name.length))
  }

  /** Reads the name of the line's field. Returns the index behind its colon. */
  #readField (bytes: Buffer, from: number, to: number): number {
    let at = from
    while (at < to) {
      const byte = bytes[at++] as number
      if (byte === COLON) {
        const name = this.#prefix + bytes.toString('latin1', from, at - 1)
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
    this.#prefix += bytes.toString('latin1', from, to)
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
