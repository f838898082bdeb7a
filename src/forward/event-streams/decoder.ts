import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

/** Each content coding with Node's function for it, of which the last is there from 22.15 on, and its options. */
const decoders: ReadonlyMap<string, readonly [name: string, options: object]> = new Map([
  ['gzip', ['createGunzip', {}]],
  ['x-gzip', ['createGunzip', {}]],
  ['deflate', ['createInflate', {}]],
  ['br', ['createBrotliDecompress', {}]],
  ['zstd', ['createZstdDecompress', { params: { 100: 23 } }]] // ZSTD_d_windowLogMax: that of RFC 9659
])

type Create = (options: object) => Transform

/** Opens a decoder, given the first byte of the body. */
export type Open = (first: number) => Transform

/** The decoder of a content coding; undefined for what this Node can not read. */
export function decoderFor (coding: string): Open | undefined {
  const [name = '', options = {}] = decoders.get(coding) ?? []
  const create = Reflect.get(zlib, name) as Create | undefined
  if (create === undefined) return undefined
  // RFC 9110 section 8.4.1.2: deflate means the zlib format, and some servers send the bare one.
  return first => coding === 'deflate' && (first & 0x0f) !== 8 ? zlib.createInflateRaw() : create(options)
}

/** Decoded bytes that may come of so many encoded ones: events repeat themselves, but more than that is a bomb. */
const FREE = 1 << 20
const RATIO = 200

/** Encoded bytes that may wait for the decoder. */
const WAITING = 1 << 20

/** What Node says of a coding that is not at its end where its bytes are. */
const UNFINISHED = 'Z_BUF_ERROR'

const nothing = Buffer.alloc(0)

/** How far a body could be read: to its end, up to where its coding breaks off, or not at all any more. */
export type Reading = 'whole' | 'broken off' | 'lost'

/** Reads a compressed body beside its way. It gives up rather than hold anybody up: what is too much is not looked at any more. */
export class Beside {
  readonly #open: Open
  readonly #read: (bytes: Buffer) => void
  #decoder: Transform | undefined
  #taken = 0
  #given = 0
  #brokenOff = false
  /** Whether it has given up. */
  lost = false

  /** @param read gets what was decoded, as it comes */
  constructor (open: Open, read: (bytes: Buffer) => void) {
    this.#open = open
    this.#read = read
  }

  write (bytes: Buffer): void {
    if (this.lost) return
    this.#taken += bytes.length
    const decoder = this.#decoder ??= this.#begin(bytes[0] as number)
    decoder.write(bytes)
    if (decoder.writableLength > WAITING) this.giveUp()
  }

  /** Resolves once nothing more will be read. */
  async finish (): Promise<Reading> {
    const decoder = this.#decoder
    if (this.lost || decoder === undefined) return this.lost ? 'lost' : 'whole'
    const reading = await new Promise<Reading>(resolve => {
      decoder.once('end', () => { resolve('whole') })
      decoder.once('close', () => { resolve(this.#brokenOff ? 'broken off' : 'lost') })
      decoder.write(nothing, () => { decoder.end() }) // behind the rest: Node gives nothing of a piece with which the coding breaks off
    })
    this.giveUp()
    return reading
  }

  /** Nothing more is read, and what it holds is free again. */
  giveUp (): void {
    this.lost = true
    this.#decoder?.destroy()
  }

  #begin (first: number): Transform {
    const decoder = this.#open(first)
    decoder.on('data', (bytes: Buffer) => {
      this.#given += bytes.length
      if (this.#given > FREE + RATIO * this.#taken) this.giveUp()
      else this.#read(bytes)
    })
    decoder.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.#brokenOff = code === UNFINISHED
      this.giveUp()
    })
    return decoder
  }
}
