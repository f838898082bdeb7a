/** Opcode of a text frame with its FIN bit, without RSV bits: whole, and not compressed (RFC 6455 section 5.2). */
const WHOLE_TEXT = 0x81

/** Bytes of a message that are read at most: what says that something failed is short. */
const READABLE = 4_096

/**
 * The short text messages that a server sends whole and uncompressed, of bytes that begin where a frame does. Compressed
 * and fragmented ones are passed over, and so is what is not whole.
 */
export function * textMessages (bytes: Buffer): Generator<string> {
  let at = 0
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1] as number // a masked one is none of a server's; its length would not fit
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0
    if (short > 127 || extended === 8 || at + 2 + extended > bytes.length) return
    const length = extended === 2 ? bytes.readUInt16BE(at + 2) : short
    const begin = at + 2 + extended
    if (bytes[at] === WHOLE_TEXT && length <= READABLE && begin + length <= bytes.length) yield bytes.toString('utf8', begin, begin + length)
    at = begin + length
  }
}
