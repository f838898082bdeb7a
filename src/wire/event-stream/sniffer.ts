/** Fields with which an event stream can begin, and a comment. */
const beginnings = ['event:', 'data:', 'id:', 'retry:', ':']

/** What may stand before them: a byte order mark, as latin1, and blank lines. */
const before = /^(?:\xef(?:\xbb(?:\xbf)?)?)?[\r\n]*/

/** Bytes that are looked at; an event stream that begins with more blank lines is none that we know. */
const ENOUGH = 32

/** Tells from its first bytes whether a body is an event stream: some upstreams do not say so (openclaw/openclaw#91662). */
export class Sniffer {
  #seen = ''

  /** Takes bytes in. Undefined as long as they can be the beginning of either. */
  push (bytes: Buffer): boolean | undefined {
    this.#seen += bytes.toString('latin1', 0, ENOUGH - this.#seen.length)
    const text = this.#seen.replace(before, '')
    if (beginnings.some(field => text.startsWith(field))) return true
    return this.#seen.length < ENOUGH && beginnings.some(field => field.startsWith(text)) ? undefined : false
  }
}
