import { Choices } from './choices.ts'
import { detached } from './json/detached.ts'
import { JsonScanner, type MemberSink } from './json/scanner.ts'
import type { Known } from './known.ts'
import { BLANK, NumberedEvent } from './numbered-event.ts'
import { EventParser, type LineSink } from './parser.ts'
import type { Place } from './json/places.ts'
import { searches, type Search } from './search.ts'
import type { Protocol, StreamProtocol } from './protocols.ts'
import { Recognition } from './recognition.ts'

/** Events of which all is read, from the first one on that is its protocol's. From then on it is known whether a stream numbers its events, and what its response is. */
const READ = 4

/** Names and types of events that say so. */
const failures = new Set(['error', 'response.failed'])
/** Index behind a blank line, or the length where there is none. */
const behind = (at: number, length: number): number => at < 0 ? length : at + BLANK.length
const falsy = new Set(['null', 'false', '0'])

/** Follows a stream from its first byte on: where its events end, whether it said that it is complete, and how to continue it. */
export class EventStream implements LineSink, MemberSink {
  readonly #parser = new EventParser(this)
  readonly #scanner = new JsonScanner(this)
  readonly #recognition: Recognition
  #search: Search | undefined
  #events = 0
  #terminated = false
  #sufficient = false
  #failed = false
  readonly #choices = new Choices()
  readonly #known: Known = { sequence: undefined, id: undefined, createdAt: undefined, model: undefined, background: false }
  readonly #numbered = new NumberedEvent()

  // Of the present event, until it is whole.
  #type = ''
  #object = ''
  #jsonrpc = false
  #listed = false
  #error = false
  #sequence: number | undefined

  /** @param byPath that of the path; its first events say whether it is */
  constructor (byPath: StreamProtocol) { this.#recognition = new Recognition(byPath) }

  /** That of its path as long as it has said nothing, and none as long as nothing that it said belongs to that. */
  get protocol (): StreamProtocol { return this.#recognition.protocol }
  /** Whether what was taken in ends on an event boundary, so that an event of ours can follow. */
  get onBoundary (): boolean { return this.#parser.onBoundary }
  /** Whether the stream said that it is complete. */
  get terminated (): boolean { return this.#terminated }
  /** Whether it said that it has failed. */
  get failed (): boolean { return this.#failed }
  /** Whether it is known to be no model's. */
  get foreign (): boolean { return this.#recognition.settled && this.#recognition.rules === undefined }
  /** Whether it can be asked for again from where it broke off. */
  get resumable (): boolean { return this.#recognition.rules?.endsAnywhere === true || this.#known.background }
  /** Whether an orderly end here is the end of a whole stream. */
  get mayEnd (): boolean {
    const { doubtful, rules } = this.#recognition
    return this.#terminated || rules === undefined || this.resumable || this.#sufficient || (doubtful && this.onBoundary) ||
      (rules.choices === true && this.#choices.over)
  }

  /** What it has said of its response so far. */
  get known (): Readonly<Known> {
    this.#catchUp()
    return this.#known
  }

  /** Takes bytes in. Returns the index behind the last one on an event boundary, or -1 where no event has ended in them. */
  push (bytes: Buffer): number {
    const text = bytes.toString('latin1') // a call into a buffer costs as much as all that is done here with a usual event
    if (this.#events >= READ) return this.#skim(text)
    let boundary = -1
    let at = 0
    while (this.#events < READ && at < text.length) { // one by one: those behind them can be cheaper
      const to = behind(text.indexOf(BLANK, at), text.length)
      const index = this.#read(text.slice(at, to))
      if (index >= 0) boundary = at + index
      at = to
    }
    if (at === text.length) return boundary
    const index = this.#skim(text.slice(at))
    return index < 0 ? boundary : at + index
  }

  /** Reads only what can matter. Returns the same. */
  #skim (text: string): number {
    const search = this.#search
    if (search === undefined || text.includes('\r')) return this.#read(text)
    const { length } = text
    const first = text.indexOf(BLANK)
    let at = this.onBoundary ? 0 : behind(first, length)
    const last = first === length - BLANK.length ? first : text.lastIndexOf(BLANK)
    if (last < at) return this.#read(text)
    if (at > 0) this.#read(text.slice(0, at))
    const end = last + BLANK.length
    for (let found = search(text, at); found >= 0 && found < end; found = search(text, at)) {
      const before = text.lastIndexOf(BLANK, found)
      const from = before < at ? at : before + BLANK.length
      this.#keep(text.slice(at, from))
      at = text.indexOf(BLANK, found) + BLANK.length
      this.#read(text.slice(from, at))
    }
    this.#keep(text.slice(at, end))
    return end === length ? end : Math.max(end, end + this.#read(text.slice(end)))
  }

  #read (text: string): number {
    this.#catchUp()
    return this.#parser.push(text)
  }

  #keep (events: string): void {
    if (this.#known.sequence === undefined) return
    const long = this.#numbered.keep(events)
    if (long !== '') this.#parser.push(long)
  }

  #catchUp (): void {
    const events = this.#numbered.take()
    if (events !== '') this.#parser.push(events)
  }

  /** The stream has ended in order: its last event may lack its blank line, if its data is whole. */
  finish (): void { this.#parser.finish(() => this.#scanner.complete || this.#scanner.text !== '') }

  data (text: string, from: number, to: number): void { this.#scanner.feed(text, from, to) }

  member (place: Place, name: string, value: string, quoted: boolean): void {
    if (place === 'event') this.#ofEvent(name, value, quoted)
    else if (place === 'response') this.#ofResponse(name, value)
    else if (name === 'index') this.#choices.index = Number(value)
    else this.#choices.finished = quoted && value !== ''
  }

  #ofEvent (name: string, value: string, quoted: boolean): void {
    if (name === 'type') this.#type = value
    else if (name === 'object') this.#object = value
    else if (name === 'jsonrpc') this.#jsonrpc = true
    else if (name === 'choices') this.#listed = value === '[' && !quoted
    else if (name === 'error') this.#error = quoted ? value !== '' : !falsy.has(value)
    else if (name === 'sequence_number') this.#sequence = Number(value)
    if (this.#events >= READ && this.#passing()) this.#scanner.skip()
  }

  #ofResponse (name: string, value: string): void {
    if (name === 'id') this.#known.id = detached(value)
    else if (name === 'created_at') this.#known.createdAt = Number(value)
    else if (name === 'model') this.#known.model = detached(value)
    else this.#known.background = value === 'true'
  }

  /** Whether nothing else in the present event can matter. */
  #passing (): boolean {
    const { passing, terminal } = this.#recognition.rules ?? {}
    return passing !== undefined && this.#type.startsWith(passing) && terminal?.has(this.#type) === false &&
      (this.#sequence !== undefined || this.#known.sequence === undefined)
  }

  choice (): void { this.#choices.next() }

  event (name: string): void {
    const error = this.#saysError(name)
    if (!this.#recognition.settled) this.#recognize(name, error)
    const { settled, rules } = this.#recognition
    if (settled) this.#events++ // signs of life can be many, before the response has begun
    if (settled && rules !== undefined) this.#judge(name, error, rules)
    this.#type = this.#object = ''
    this.#jsonrpc = this.#listed = this.#error = false
    this.#sequence = undefined
    this.#choices.reset()
    this.#scanner.reset()
  }

  /** Whether it is an error of the stream's own: what a stream is about can fail too, and an event of another type says so with the same member. */
  #saysError (name: string): boolean {
    return name === 'error' || this.#type === 'error' || (this.#error && this.#type === '' && this.#recognition.rules?.events.test(name) !== true)
  }

  #recognize (name: string, error: boolean): void {
    const kind = this.#type === '' ? name : this.#type
    const choices = this.#listed || this.#scanner.text === '[DONE]'
    this.#recognition.take({ kind, object: this.#object, jsonrpc: this.#jsonrpc, choices, error, plain: this.#scanner.text !== '' })
    const { settled, protocol } = this.#recognition
    if (settled && protocol !== 'other') this.#search = searches[protocol]
  }

  #judge (name: string, error: boolean, { terminal, sufficient, choices }: Protocol): void {
    if (terminal.has(name) || terminal.has(this.#type) || error) this.#terminated = true
    if (failures.has(name) || failures.has(this.#type) || error) this.#failed = true
    if (sufficient !== undefined && (sufficient.has(name) || sufficient.has(this.#type))) this.#sufficient = true
    if (this.#sequence !== undefined) this.#known.sequence = this.#sequence
    if (choices === undefined) return
    if (this.#scanner.text === '[DONE]') this.#terminated = true
    this.#choices.take()
  }
}
