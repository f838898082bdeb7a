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

/** The text of a refusal's body; undefined where it can not be read: cut short, longer than is read, or otherwise coded than is known. */
export function readText (headers: readonly string[], body: Buffer | undefined): string | undefined {
  if (body === undefined || body.length > READABLE) return undefined
  try {
    const coding = valuesOf(headers, 'content-encoding').join(',').trim().toLowerCase()
    const plain = coding === '' || coding === 'identity' || body.length === 0 ? body : decoders[coding]?.(body, limits)
    return plain?.toString('utf8').replace(/^\uFEFF/, '')
  } catch {
    return undefined
  }
}

/** What it says; undefined where it is no JSON object. */
export function readSaid (text: string): Said | undefined {
  const value = jsonObject(text)
  return value === undefined ? undefined : saidIn(value)
}
