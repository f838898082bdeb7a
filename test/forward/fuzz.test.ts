import { brotliCompressSync, brotliDecompressSync, constants, deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import t from 'tap'
import { Beside, decoderFor } from '../../src/forward/event-streams/decoder.ts'
import { HeldEvents } from '../../src/forward/event-streams/held-events.ts'
import { EventStream } from '../../src/wire/event-stream/event-stream.ts'
import { Sniffer } from '../../src/wire/event-stream/sniffer.ts'
import { randomStream, split, type Stream } from '../fixtures/random-streams.ts'
import { Random } from '../fixtures/random.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { resetOnceRead } from '../fixtures/reset-once-read.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'

/** Streams in a run of all tests; `npm run fuzz:streams` plays a million. */
const SAMPLE = 3_000
const count = Number(process.env['FUZZ_STREAMS'] ?? SAMPLE)

/** How many of them are compressed ones, and how many go over sockets. */
const compressed = Math.ceil(count / 10)
const sockets = Math.ceil(count / 200) + 40

const random = new Random()
t.comment(`SEED=${random.seed}`)
t.setTimeout(0)

/** What should be known of a stream once so many of its bytes came, and then an orderly end. */
const verdictAt = ({ terminatedAt, dataAt }: Stream, length: number) => ({ terminated: length >= terminatedAt, mayEnd: length >= dataAt })

/** A length at which to cut: each is as likely, but the last bytes, on which most depends, more so. */
const cutOf = ({ bytes }: Stream): number => random.below(3) === 0 ? bytes.length : random.below(3) === 0 ? bytes.length - random.below(12) : random.below(bytes.length + 1)

t.test('whole streams are known to be whole, cut ones never, and no byte is lost, however they are split', t => {
  for (let n = 0; n < count; n++) {
    const sent = randomStream(random)
    const length = cutOf(sent)
    const stream = new EventStream(sent.kind.protocol)
    const held = new HeldEvents()
    const sniffer = new Sniffer()
    const passed: Buffer[] = []
    let is: boolean | undefined
    for (const piece of split(random, sent.bytes.subarray(0, length))) {
      is ??= sniffer.push(piece)
      const within = !stream.onBoundary && !held.any
      passed.push(held.push(piece, stream.push(piece), within))
    }
    const { terminated } = stream
    const boundary = Buffer.concat(passed)
    stream.finish()
    const rest = held.rest()
    const seen = { terminated, mayEnd: stream.mayEnd, bytes: Buffer.concat([boundary, rest]).equals(sent.bytes.subarray(0, length)), is: length < 120 || is === true, within: /^$|[\r\n]$|^\ufeff$/.test(boundary.toString()) }
    const expected = { ...verdictAt(sent, length), bytes: true, is: true, within: true }
    if (JSON.stringify(seen) !== JSON.stringify(expected)) {
      t.strictSame(seen, expected, `stream ${n}, ${length} of ${sent.bytes.length} bytes: ${JSON.stringify(sent.bytes.toString())}`)
      break
    }
  }
  t.pass(`${count} streams`)
  t.end()
})

const sync = { finishFlush: constants.Z_SYNC_FLUSH }
const codings: readonly [name: string, encode: (bytes: Buffer) => Buffer, decode: (bytes: Buffer) => Buffer][] = [
  ['gzip', gzipSync, bytes => gunzipSync(bytes, sync)],
  ['deflate', deflateSync, bytes => inflateSync(bytes, sync)],
  ['deflate', deflateRawSync, bytes => inflateRawSync(bytes, sync)],
  ['br', brotliCompressSync, bytes => brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH })]
]

t.test('the same of compressed ones, read beside their way', async t => {
  for (let n = 0; n < compressed; n++) {
    const sent = randomStream(random)
    const [name, encode, decode] = random.pick(codings)
    const encoded = encode(sent.bytes)
    const cut = random.below(2) === 0 ? encoded : encoded.subarray(0, 12 + random.below(encoded.length))
    const stream = new EventStream(sent.kind.protocol)
    const beside = new Beside(decoderFor(name) as NonNullable<ReturnType<typeof decoderFor>>, bytes => { stream.push(bytes) })
    for (const piece of split(random, cut)) beside.write(piece)
    const reading = await beside.finish()
    const { terminated } = stream
    stream.finish()
    const seen = { reading, terminated, mayEnd: stream.mayEnd }
    const expected = { reading: cut.length === encoded.length ? 'whole' : 'broken off', ...verdictAt(sent, decode(cut).length) }
    if (JSON.stringify(seen) !== JSON.stringify(expected)) {
      t.strictSame(seen, expected, `stream ${n}, ${name}, ${cut.length} of ${encoded.length} bytes: ${JSON.stringify(sent.bytes.toString())}`)
      break
    }
  }
  t.pass(`${compressed} streams`)
})

/** What came of a chunked body, without its framing. */
function bodyOf (received: string): string {
  let body = ''
  for (let at = received.indexOf('\r\n\r\n') + 4; at < received.length;) {
    const line = received.indexOf('\r\n', at)
    const size = parseInt(received.slice(at, line), 16)
    if (line < 0) break
    body += received.slice(line + 2, line + 2 + size)
    at = line + 4 + size
  }
  return body
}

t.test('what arrives over sockets is what was sent, and at most one explained ending', async t => {
  let bytes: Buffer[] = []
  let orderly = false
  let head = ''
  let reset = async (): Promise<void> => {}
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', () => {
      reset = () => resetOnceRead(socket)
      socket.write(`HTTP/1.1 200 OK\r\n${head}Transfer-Encoding: chunked\r\n\r\n`)
      for (const piece of bytes) socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]))
      if (orderly) socket.end('0\r\n\r\n')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url, logLevel: 'info' })
  for (let n = 0; n < sockets; n++) {
    const sent = randomStream(random)
    const whole = sent.bytes.subarray(0, cutOf(sent))
    const coding = random.below(3) === 0 ? random.pick(codings) : undefined
    const body = coding === undefined ? whole : coding[1](whole)
    bytes = split(random, body)
    orderly = random.below(2) === 0
    const typed = random.below(2) === 0
    // A connection that ends with its answer says so: the next request on it would else come too late for it, and too late to be sent again on a busy machine.
    head = `${orderly ? 'Connection: close\r\n' : ''}${typed ? 'Content-Type: text/event-stream\r\n' : ''}${coding === undefined ? '' : `Content-Encoding: ${coding[0]}\r\n`}`
    const codex = random.below(2) === 0
    const client = new RawClient(t, port)
    client.write(`POST ${sent.kind.path}?n=${n} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nx-request-id: fuzz-${n}\r\n${codex ? 'originator: codex_exec\r\n' : ''}Content-Length: 2\r\n\r\n{}`)
    const { terminated, mayEnd } = verdictAt(sent, whole.length)
    if (!orderly) {
      // A reset drops what its peer has not read: it comes once all is there, or all but what is held back.
      await client.until(() => client.received.includes('\r\n\r\n'))
      if (terminated || !codex || coding !== undefined) await client.until(() => bodyOf(client.received).length >= body.length)
      await reset()
    }
    let received = ''
    const answer = await client.answer().then(({ body }) => body, (error: unknown) => {
      received = JSON.parse((error as Error).message.replace(/^[^"]*/, '')) as string
      return undefined
    })
    client.socket.destroy()
    // Where too little came, or nothing, nobody can tell that it is a stream, unless its head says so.
    const known = typed || new Sniffer().push(whole) === true
    const good = terminated || (orderly && (mayEnd || !known))
    const text = body.toString('latin1')
    const at = `stream ${n}: ${JSON.stringify({ head, orderly, codex, length: whole.length })} ${JSON.stringify(sent.bytes.toString())}`
    if (good) {
      if (answer !== text) t.equal(answer, text, at)
    } else if (answer === undefined) {
      if (!text.startsWith(received)) t.equal(received, text, at)
    } else {
      const explained = answer.indexOf('event: error\ndata: {"type":"error","code":"upstream_reset"')
      if (!codex || coding !== undefined || sent.kind.protocol !== 'responses' || explained < 0 || !text.startsWith(answer.slice(0, explained))) t.fail(at)
    }
  }
  t.pass(`${sockets} streams`)
})
