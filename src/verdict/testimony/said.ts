import * as zlib from 'node:zlib'
import { valuesOf } from '../../wire/headers.ts'
import { jsonObject } from '../../wire/json.ts'

/** What an upstream's refusal says, as far as its JSON has a place for it. */
export interface Said {
  readonly code: string | undefined
  readonly type: string | undefined
  readonly message: string | undefined
}

/** Bytes of a body that are decoded, or read, at most: its code stands at its beginning. */
const READABLE = 65_536

const limits = { maxOutputLength: READABLE }

/** Node before 22.15 knows no zstd. */
const decoders: Readonly<Record<string, ((body: Buffer, options: { maxOutputLength: number }) => Buffer) | undefined>> = {
  gzip: zlib.gunzipSync,
  'x-gzip': zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  zstd: (zlib as { zstdDecompressSync?: (body: Buffer, options: object) => Buffer }).zstdDecompressSync
}

type Fields = Readonly<Record<string, unknown>>

/** The members of a JSON object; none of what is no object. */
export const fieldsOf = (value: unknown): Fields => typeof value === 'object' && value !== null ? value as Fields : {}

const text = (...values: readonly unknown[]): string | undefined => values.find((value): value is string => typeof value === 'string' && value !== '')

/**
 * Reads what a refusal says in the shapes that are known (contract.md section 5): OpenAI's and Anthropic's `error`
 * object, FastAPI's `detail`, OAuth's `error` word.
 */
export function saidIn (value: unknown): Said {
  const answer = fieldsOf(value)
  const error = fieldsOf(answer['error'])
  const detail = fieldsOf(answer['detail'])
  return {
    code: text(error['code'], detail['code'], answer['code'], answer['error']),
    type: text(error['type']),
    message: text(error['message'], detail['message'], answer['detail'], answer['message'], answer['error_description'])
  }
}

/**
 * What the body of a refusal says; undefined where it says nothing: empty, HTML, cut short, longer, deeper or otherwise
 * coded than what is read.
 */
export function readSaid (headers: readonly string[], body: Buffer | undefined): Said | undefined {
  if (body === undefined || body.length > READABLE) return undefined
  try {
    const coding = valuesOf(headers, 'content-encoding').join(',').trim().toLowerCase()
    const plain = coding === '' || coding === 'identity' ? body : decoders[coding]?.(body, limits)
    const value = jsonObject(plain?.toString('utf8') ?? '')
    return value === undefined ? undefined : saidIn(value)
  } catch {
    return undefined
  }
}
