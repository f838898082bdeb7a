/** A look at the JSON of an event: a few members of a few objects, found on the way, whatever stands in the others. */

import { Ahead, BACKSLASH, QUOTE, SHORT } from './ahead.ts'
import { lengths, placeAt, wanted, type Inside, type Place } from './places.ts'

const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const BLANK = 0x20

/** Characters of a name or value that are kept; what is longer is none that we know. */
const KEPT = 256

/** Characters of data that is no JSON object: enough for `[DONE]`. */
const TEXT = 6

/** Told of each wanted member as soon as its value is known. */
export interface MemberSink {
  /** @param value text of a string or of a number, `true`, `false`, `null`; `{` or `[` where an object or array begins */
  member: (place: Place, name: string, value: string, quoted: boolean) => void
  /** An object of `choices` has ended. */
  choice: () => void
}

/**
 * Reads data piece by piece and looks at each byte once. Names and values with escapes in them are none that we know:
 * no server writes these few so.
 */
export class JsonScanner {
  readonly #sink: MemberSink
  #state: 'begin' | 'json' | 'text' | 'over' = 'begin'
  #depth = 0
  /** Bit n is set where the open container at depth n is an object; the first three are looked into. */
  #objects = 0
  #inside: Inside | undefined
  #place: Place | undefined
  /** Name of the wanted member whose value comes next, or empty. */
  #name = ''
  #nameNext = false
  #inString = false
  #isName = false
  /** 1 where the next byte is escaped by the last one of the piece before. */
  #escaped = 0
  #token = ''
  /** The first characters of data that is no object. */
  text = ''
  /** Whether a whole object has been read. */
  complete = false

  constructor (sink: MemberSink) { this.#sink = sink }

  /** Begins anew, for the next event. */
  reset (): void {
    this.#state = 'begin'
    this.#name = this.#token = this.text = ''
    this.#inString = this.complete = false
    this.#escaped = 0
  }

  /** Looks at nothing more of this event. */
  skip (): void { this.#state = 'over' }

  /** Takes the text of a piece from one index up to another, which is not taken. */
  feed (text: string, from: number, to: number): void {
    if (this.#state === 'json') this.#scan(text, from, to)
    else if (this.#state === 'begin') this.#begin(text, from, to)
    else if (this.#state === 'text') this.#read(text, from, to)
  }

  #begin (text: string, from: number, to: number): void {
    let at = from
    while (at < to && text.charCodeAt(at) <= BLANK) at++
    if (at === to) return
    if (text.charCodeAt(at) !== OPEN_OBJECT) {
      this.#state = 'text'
      return this.#read(text, at, to)
    }
    this.#state = 'json'
    this.#depth = 1
    this.#objects = 0b10
    this.#inside = undefined
    this.#place = 'event'
    this.#nameNext = true
    this.#scan(text, at + 1, to)
  }

  #read (text: string, from: number, to: number): void {
    if (this.text.length < TEXT) this.text += text.slice(from, Math.min(to, from + TEXT - this.text.length))
  }

  #scan (text: string, from: number, to: number): void {
    let at = this.#inString ? this.#string(text, from, to) : from
    while (at < to && this.#state === 'json') {
      const byte = text.charCodeAt(at++)
      switch (byte) {
        case QUOTE:
          this.#inString = true
          this.#isName = this.#nameNext
          at = this.#string(text, at, to)
          break
        case OPEN_OBJECT:
        case OPEN_ARRAY:
          this.#open(byte === OPEN_OBJECT)
          break
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          this.#value()
          this.#close()
          break
        case COMMA:
          this.#value()
          this.#nameNext = this.#depth < 4 && (this.#objects >> this.#depth & 1) === 1
          break
        default:
          if (this.#name !== '' && byte > BLANK && byte !== COLON && this.#token.length < KEPT) this.#token += text[at - 1] as string
      }
    }
  }

  /** Goes on within a string. Returns the index behind it, or that of the end of the piece. */
  #string (text: string, from: number, to: number): number {
    let at = from + this.#escaped
    let ahead: Ahead | undefined
    for (;;) {
      const near = Math.min(to, at + SHORT)
      while (at < near && text.charCodeAt(at) !== QUOTE && text.charCodeAt(at) !== BACKSLASH) at++
      if (at === near && at < to) at = (ahead ??= new Ahead(text, to)).next(at)
      if (at >= to || text.charCodeAt(at) === QUOTE) break
      at += 2
    }
    const kept = this.#place !== undefined && (this.#isName || this.#name !== '')
    if (at >= to) {
      this.#escaped = at - to
      if (kept && this.#token.length < KEPT) this.#token += text.slice(from, Math.min(to, from + KEPT))
      return to
    }
    this.#escaped = 0
    this.#inString = false
    if (kept) this.#endString(text, from, at)
    this.#nameNext = false
    return at + 1
  }

  #endString (text: string, from: number, to: number): void {
    const place = this.#place as Place
    const length = this.#token.length + to - from
    if (this.#isName) {
      this.#name = ''
      if (lengths[place][length] === true) {
        const name = this.#token + text.slice(from, to)
        if (wanted[place].includes(name)) this.#name = name
      }
    } else {
      this.#sink.member(place, this.#name, length <= KEPT ? this.#token + text.slice(from, to) : '…', true)
      this.#name = ''
    }
    this.#token = ''
  }

  /** A number, `true`, `false` or `null` ends where the next thing begins. */
  #value (): void {
    if (this.#name === '') return
    if (this.#token !== '') this.#sink.member(this.#place as Place, this.#name, this.#token, false)
    this.#name = this.#token = ''
  }

  #open (object: boolean): void {
    if (this.#name !== '') {
      this.#sink.member(this.#place as Place, this.#name, object ? '{' : '[', false)
      if (this.#depth === 1 && (this.#name === 'response' ? object : this.#name === 'choices' && !object)) this.#inside = this.#name as Inside
      this.#name = ''
    }
    this.#depth++
    if (this.#depth < 4) this.#objects = object ? this.#objects | 1 << this.#depth : this.#objects & ~(1 << this.#depth)
    this.#nameNext = object && this.#depth < 4
    this.#locate()
  }

  #close (): void {
    if (this.#place === 'choice') this.#sink.choice()
    this.#depth--
    if (this.#depth === 1) this.#inside = undefined
    this.#nameNext = false
    this.#locate()
    if (this.#depth > 0) return
    this.complete = true
    this.#state = 'over'
  }

  #locate (): void { this.#place = placeAt(this.#depth, this.#inside) }
}
