/** What may stand before the first line: a byte order mark, as latin1, or its beginning. */
const mark = /^\xef(?:\xbb(?:\xbf)?)?/

/** Fields with which an event stream can begin. */
const fields = ['event:', 'data:', 'id:', 'retry:', ':']

/** Lines before its first data, whole: names have no blanks, and comments are text. Prose and binary data have other ones. */
const line = /^(?:event: ?[\w.:/-]{1,64}|id: ?[\x21-\x7e]{0,256}|retry: ?\d{1,9}|:[\t\x20-\x7e\x80-\xff]*)$/

/** The beginning of an object says enough. */
const object = /^data:\s*\{/

/** Of a line that is not over. */
const printable = /^[\t\x20-\x7e\x80-\xff]*\r?$/

/** Bytes that are looked at; an event stream that begins with more comments is none that we know. */
const ENOUGH = 4_096

/** Whether it is data as models' streams have it: JSON, which may go on in the next line, or their last word. */
function isData (value: string): boolean {
  if (/^\s*(?:\{|\[DONE\]$|$)/.test(value)) return true
  try {
    JSON.parse(value)
    return true
  } catch {
    return false
  }
}

/**
 * Tells from its first lines whether a body is an event stream: some upstreams do not say so (openclaw/openclaw#91662).
 * Sound and plain text can begin with the same few bytes.
 */
export class Sniffer {
  readonly #declared: boolean
  #seen = 0
  /** The line that is not over yet. */
  #line = ''
  #begun = false

  /** @param declared whether its head says that it is one: then its first field will do */
  constructor (declared = false) { this.#declared = declared }

  /** Takes bytes in. Undefined as long as they can be the beginning of either. */
  push (bytes: Buffer): boolean | undefined {
    const text = bytes.toString('latin1', 0, ENOUGH - this.#seen)
    this.#seen += text.length
    const lines = (this.#line + text).split(/\r\n|\r(?!$)|\n/) // a CR at the end may be half of one
    this.#line = lines.pop() as string
    for (const each of lines) {
      const decision = this.#take(each.replace(mark, ''))
      if (decision !== undefined) return decision
    }
    return this.#guess(this.#line.replace(mark, '')) ?? (this.#seen === ENOUGH ? false : undefined)
  }

  /** A whole line. */
  #take (text: string): boolean | undefined {
    if (text === '') return this.#begun ? true : undefined
    this.#begun = true
    if (this.#declared) return fields.some(field => text.startsWith(field))
    if (text.startsWith('data:')) return isData(text.slice('data:'.length))
    return line.test(text) ? undefined : false
  }

  /** What there is of a line. */
  #guess (text: string): boolean | undefined {
    if (text === '\r') return this.#take('')
    if (text === '') return undefined
    const field = fields.find(field => text.startsWith(field))
    if (field !== undefined && (this.#declared || object.test(text))) return true
    return printable.test(text) && (field !== undefined || fields.some(field => field.startsWith(text))) ? undefined : false
  }
}
