import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

const { constants } = zlib
/** What has not come is no error of what has: a stream is judged by its events. */
const tolerant = { finishFlush: constants.Z_SYNC_FLUSH }

/** Node has it from 22.15 on; the types are older. The window is that of RFC 9659. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Transform }
const zstd = { params: { 101: 23 }, finishFlush: 1 } // ZSTD_d_windowLogMax, ZSTD_e_flush

/** By the first byte: RFC 9110 section 8.4.1.2 means the zlib format, and some servers send the bare one. */
const inflate = (first: number): Transform => (first & 0x0f) === 8 ? zlib.createInflate(tolerant) : zlib.createInflateRaw(tolerant)

type Open = (first: number) => Transform

const decoders: ReadonlyMap<string, Open> = new Map<string, Open>([
  ['gzip', () => zlib.createGunzip(tolerant)],
  ['x-gzip', () => zlib.createGunzip(tolerant)],
  ['deflate', inflate],
  ['br', () => zlib.createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })],
  ...(createZstdDecompress === undefined ? [] : [['zstd', () => createZstdDecompress(zstd)] as [string, Open]])
])

/** Opens a decoder for a content coding, given the first byte of the body; undefined for what this Node can not read. */
export const decoderFor = (coding: string): Open | undefined => decoders.get(coding)

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
