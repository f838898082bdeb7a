import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

const { constants } = zlib
/** What has not come is no error of what has: a stream is judged by its events. */
const tolerant = { finishFlush: constants.Z_SYNC_FLUSH }

/** Each content coding with Node's function for it, of which the last is there from 22.15 on, and its options. */
const decoders: ReadonlyMap<string, readonly [name: string, options: object]> = new Map([
  ['gzip', ['createGunzip', tolerant]],
  ['x-gzip', ['createGunzip', tolerant]],
  ['deflate', ['createInflate', tolerant]],
  ['br', ['createBrotliDecompress', { finishFlush: constants.BROTLI_OPERATION_FLUSH }]],
  ['zstd', ['createZstdDecompress', { params: { 101: 23 }, finishFlush: 1 }]] // ZSTD_d_windowLogMax: that of RFC 9659; ZSTD_e_flush
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
  return first => coding === 'deflate' && (first & 0x0f) !== 8 ? zlib.createInflateRaw(tolerant) : create(options)
}

/** Decoded bytes that may come of so many encoded ones: events repeat themselves, but more than that is a bomb. */
const FREE = 1 << 20
const RATIO = 200

/** Encoded bytes that may wait for the decoder. */
const WAITING = 1 << 20

/** Reads a compressed body beside its way. It gives up rather than hold anybody up: what is too much is not looked at any more. */
export class Beside {
  readonly #open: Open
  readonly #read: (bytes: Buffer) => void
  #decoder: Transform | undefined
  #taken = 0
  #given = 0
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

  /** Resolves once nothing more will be read: whether all that was written was. */
  async finish (): Promise<boolean> {
    const decoder = this.#decoder
    if (this.lost || decoder === undefined) return !this.lost
    const all = await new Promise<boolean>(resolve => {
      decoder.once('end', () => { resolve(true) })
      decoder.once('close', () => { resolve(false) })
      decoder.end()
    })
    this.giveUp()
    return all
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
    decoder.on('error', () => { this.giveUp() })
    return decoder
  }
}
