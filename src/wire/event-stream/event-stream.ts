import { JsonScanner, type MemberSink } from './json-scanner.ts'
import type { Known } from './known.ts'
import { EventParser, type LineSink } from './parser.ts'
import type { Place } from './places.ts'
import { prefilters, type Prefilter } from './prefilter.ts'
import { protocols, protocolSeen, type Protocol, type StreamProtocol } from './protocols.ts'

/** Events of which all is read. From then on it is known whether a stream numbers its events, and what its response is. */
const READ = 4

/** Choices that are told apart. */
const CHOICES = 1_024

/** Longest event that is kept unread, bytes. */
const UNREAD = 512
const CR = 0x0d
const blank = Buffer.from('\n\n')

/** Names and types of events that say so. */
const failures = new Set(['error', 'response.failed'])
/** Index behind a blank line, or the length where there is none. */
const behind = (bytes: Buffer, at: number): number => at < 0 ? bytes.length : at + blank.length
const falsy = new Set(['null', 'false', '0'])

/** Follows a stream from its first byte on: where its events end, whether it said that it is complete, and how to continue it. */
export class EventStream implements LineSink, MemberSink {
  readonly #parser = new EventParser(this)
  readonly #scanner = new JsonScanner(this)
  #protocol: StreamProtocol
  #rules: Protocol | undefined
  #matters: Prefilter | undefined
  #events = 0
  #terminated = false
  #sufficient = false
  #failed = false
  /** Choices seen by their index: whether they have their `finish_reason`. */
  readonly #choices = new Map<number, boolean>()
  readonly #known: Known = { sequence: undefined, id: undefined, createdAt: undefined, model: undefined, background: false }
  /** The last event, where only its number can matter, and how long it is. */
  #unread: Buffer | undefined
  #kept = 0

  // Of the present event, until it is whole.
  #type = ''
  #object = ''
  #jsonrpc = false
  #error = false
  #sequence: number | undefined
  #index = 0
  #finished = false
  #changed: [index: number, finished: boolean][] = []

  /** @param protocol that of the path; the first event may say otherwise */
  constructor (protocol: StreamProtocol) {
    this.#protocol = protocol
    this.#speak(protocol)
  }

  #speak (protocol: StreamProtocol): void {
    this.#protocol = protocol
    this.#rules = protocol === 'other' ? undefined : protocols[protocol]
    this.#matters = protocol === 'other' ? undefined : prefilters[protocol]
  }

  get protocol (): StreamProtocol { return this.#protocol }
  /** Whether what was taken in ends on an event boundary, so that an event of ours can follow. */
  get onBoundary (): boolean { return this.#parser.onBoundary }
  /** Whether the stream said that it is complete. */
  get terminated (): boolean { return this.#terminated }
  /** Whether it said that it has failed. */
  get failed (): boolean { return this.#failed }
  /** Whether it is known to be no model's. */
  get foreign (): boolean { return this.#rules === undefined && this.#events > 0 }
  /** Whether it can be asked for again from where it broke off. */
  get resumable (): boolean { return this.#rules?.endsAnywhere === true || this.#known.background }
  /** Whether an orderly end here is the end of a whole stream. */
  get mayEnd (): boolean {
    return this.#terminated || this.#rules === undefined || this.resumable || this.#sufficient ||
      (this.#rules.choices === true && this.#choices.size > 0 && [...this.#choices.values()].every(finished => finished))
  }

  /** What it has said of its response so far. */
  get known (): Readonly<Known> {
    this.#catchUp()
    return this.#known
  }

  /** Takes bytes in. Returns the index behind the last one on an event boundary, or -1 where no event has ended in them. */
  push (bytes: Buffer): number {
    let boundary = -1
    let at = 0
    while (this.#events < READ && at < bytes.length) { // one by one: those behind them can be cheaper
      const to = behind(bytes, bytes.indexOf(blank, at))
      const index = this.#read(bytes.subarray(at, to))
      if (index >= 0) boundary = at + index
      at = to
    }
    if (at === bytes.length) return boundary
    const index = this.#skim(bytes.subarray(at))
    return index < 0 ? boundary : at + index
  }

  /** Reads only what can matter. Returns the same. */
  #skim (bytes: Buffer): number {
    if (this.#matters === undefined || bytes.includes(CR)) return this.#read(bytes)
    const start = this.onBoundary ? 0 : behind(bytes, bytes.indexOf(blank))
    const last = bytes.lastIndexOf(blank)
    const end = behind(bytes, last)
    if (last < start || this.#matters(bytes.subarray(start, end))) return this.#read(bytes)
    if (start > 0) this.#read(bytes.subarray(0, start))
    const before = bytes.subarray(0, last + 1).lastIndexOf(blank)
    this.#keep(bytes.subarray(before < start ? start : before + blank.length, end))
    return end === bytes.length ? end : Math.max(end, end + this.#read(bytes.subarray(end)))
  }

  #read (bytes: Buffer): number {
    this.#catchUp()
    return this.#parser.push(bytes)
  }

  /** Keeps an event in which nothing but its number can matter, until that is asked for. */
  #keep (event: Buffer): void {
    if (event.length > UNREAD) {
      this.#kept = 0
      this.#parser.push(event)
    } else this.#kept = event.copy(this.#unread ??= Buffer.alloc(UNREAD))
  }

  #catchUp (): void {
    if (this.#unread === undefined || this.#kept === 0) return
    this.#parser.push(this.#unread.subarray(0, this.#kept))
    this.#kept = 0
  }

  /** The stream has ended in order: its last event may lack its blank line, if its data is whole. */
  finish (): void { this.#parser.finish(() => this.#scanner.complete || this.#scanner.text !== '') }

  data (bytes: Buffer, from: number, to: number): void { this.#scanner.feed(bytes, from, to) }

  member (place: Place, name: string, value: string, quoted: boolean): void {
    if (place === 'event') this.#ofEvent(name, value, quoted)
    else if (place === 'response') this.#ofResponse(name, value)
    else if (name === 'index') this.#index = Number(value)
    else this.#finished = quoted && value !== ''
  }

  #ofEvent (name: string, value: string, quoted: boolean): void {
    if (name === 'type') this.#type = value
    else if (name === 'object') this.#object = value
    else if (name === 'jsonrpc') this.#jsonrpc = true
    else if (name === 'error') this.#error = quoted ? value !== '' : !falsy.has(value)
    else if (name === 'sequence_number') this.#sequence = Number(value)
    if (this.#events >= READ && this.#passing()) this.#scanner.skip()
  }

  #ofResponse (name: string, value: string): void {
    if (name === 'id') this.#known.id = value
    else if (name === 'created_at') this.#known.createdAt = Number(value)
    else if (name === 'model') this.#known.model = value
    else this.#known.background = value === 'true'
  }

  /** Whether nothing else in the present event can matter. */
  #passing (): boolean {
    const { passing, terminal } = this.#rules ?? {}
    return passing !== undefined && this.#type.startsWith(passing) && terminal?.has(this.#type) === false &&
      (this.#sequence !== undefined || this.#known.sequence === undefined)
  }

  choice (): void {
    this.#changed.push([this.#index, this.#finished])
    this.#index = 0
    this.#finished = false
  }

  event (name: string): void {
    if (this.#events++ === 0) {
      this.#speak(protocolSeen(this.#protocol, { type: this.#type, object: this.#object, jsonrpc: this.#jsonrpc }))
    }
    if (this.#rules !== undefined) this.#judge(name, this.#rules)
    this.#type = this.#object = ''
    this.#jsonrpc = this.#error = this.#finished = false
    this.#sequence = undefined
    this.#index = 0
    this.#scanner.reset()
  }

  #judge (name: string, { terminal, sufficient, choices }: Protocol): void {
    if (terminal.has(name) || terminal.has(this.#type) || this.#error) this.#terminated = true
    if (failures.has(name) || failures.has(this.#type) || this.#error) this.#failed = true
    if (sufficient !== undefined && (sufficient.has(name) || sufficient.has(this.#type))) this.#sufficient = true
    if (this.#sequence !== undefined) this.#known.sequence = this.#sequence
    if (choices === undefined) return
    if (this.#scanner.text === '[DONE]') this.#terminated = true
    // Once finished, a choice stays so: some servers send what they have filtered behind it.
    for (const [index, finished] of this.#changed) if (this.#choices.size < CHOICES) this.#choices.set(index, finished || this.#choices.get(index) === true)
    if (this.#changed.length > 0) this.#changed = []
  }
}
