import { brotliCompressSync, brotliDecompressSync, constants, deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from 'node:zlib'
import t, { type Test } from 'tap'
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

/** How many more are compressed ones, and how many go over sockets. */
const compressed = Math.ceil(count / 4)
const sockets = Math.ceil(count / 40) + 40

/** Says how far a long run is. */
const say = (t: Test, n: number): void => { if (n % 10_000 === 9_999) t.comment(`${n + 1} streams`) }

const random = new Random()
t.comment(`SEED=${random.seed}`)
t.setTimeout(0)

/** What should be known of a stream once so many of its bytes came, and then an orderly end. */
const verdictAt = ({ terminatedAt, dataAt }: Stream, length: number) => ({ terminated: length >= terminatedAt, mayEnd: length >= dataAt })

/** A length at which to cut: each is as likely, but the last bytes, on which most depends, more so. */
const cutOf = ({ bytes }: Stream): number => random.below(3) === 0 ? bytes.length : random.below(3) === 0 ? bytes.length - random.below(12) : random.below(bytes.length + 1)

t.test('whole streams are known to be whole, cut ones never, and no byte is lost, however they are split', t => {
  for (let n = 0; n < count; n++) {
    say(t, n)
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
  ['br', bytes => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }), bytes => brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH })]
]

/** Streams that are played at once: most of their time is waiting. */
const AT_ONCE = 16

/** Plays so many, some at once; each is drawn before any of its own batch is played, so that a seed gives the same ones again. */
async function playAll (t: Test, total: number, draw: (n: number) => () => Promise<void>): Promise<void> {
  for (let n = 0; n < total; n += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, total - n) }, (_, i) => { say(t, n + i); return draw(n + i) })
    await Promise.all(batch.map(play => play()))
  }
  t.pass(`${total} streams`)
}

t.test('the same of compressed ones, read beside their way', t => playAll(t, compressed, n => {
  const sent = randomStream(random)
  const [name, encode, decode] = random.pick(codings)
  const encoded = encode(sent.bytes)
  const cut = random.below(2) === 0 ? encoded : encoded.subarray(0, 12 + random.below(encoded.length))
  const pieces = split(random, cut)
  return async () => {
    const stream = new EventStream(sent.kind.protocol)
    const beside = new Beside(decoderFor(name) as NonNullable<ReturnType<typeof decoderFor>>, bytes => { stream.push(bytes) })
    for (const piece of pieces) beside.write(piece)
    const reading = await beside.finish()
    const { terminated } = stream
    stream.finish()
    const seen = { reading, terminated, mayEnd: stream.mayEnd }
    const expected = { reading: cut.length === encoded.length ? 'whole' : 'broken off', ...verdictAt(sent, decode(cut).length) }
    if (JSON.stringify(seen) !== JSON.stringify(expected)) t.strictSame(seen, expected, `stream ${n}, ${name}, ${cut.length} of ${encoded.length} bytes: ${JSON.stringify(sent.bytes.toString())}`)
  }
}))

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

/** A stream as it goes over sockets. */
function drawn () {
  const sent = randomStream(random)
  const whole = sent.bytes.subarray(0, cutOf(sent))
  const coding = random.below(3) === 0 ? random.pick(codings) : undefined
  const body = coding === undefined ? whole : coding[1](whole)
  const pieces = split(random, body)
  const [orderly, typed, codex] = [random.below(2) === 0, random.below(2) === 0, random.below(2) === 0]
  // A connection that ends with its answer says so: the next request on it would else come too late for it, and too late to be sent again on a busy machine.
  const head = `${orderly ? 'Connection: close\r\n' : ''}${typed ? 'Content-Type: text/event-stream\r\n' : ''}${coding === undefined ? '' : `Content-Encoding: ${coding[0]}\r\n`}`
  return { sent, whole, coding, body, pieces, orderly, typed, codex, head, reset: async (): Promise<void> => {} }
}

t.test('what arrives over sockets is what was sent, and at most one explained ending', async t => {
  const open = new Map<number, ReturnType<typeof drawn>>()
  const upstream = await startRawUpstream(t, socket => {
    socket.once('data', request => {
      const stream = open.get(Number(/\?n=(\d+)/.exec(request.toString())?.[1]))
      if (stream === undefined) throw new Error('nobody asked for this')
      stream.reset = () => resetOnceRead(socket)
      socket.write(`HTTP/1.1 200 OK\r\n${stream.head}Transfer-Encoding: chunked\r\n\r\n`)
      for (const piece of stream.pieces) socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]))
      if (stream.orderly) socket.end('0\r\n\r\n')
    })
  })
  const { port } = await startSidecar(t, { upstream: upstream.url, logLevel: 'info' })
  await playAll(t, sockets, n => {
    const stream = drawn()
    open.set(n, stream)
    return async () => {
      const { sent, whole, coding, body, orderly, typed, codex, head } = stream
      const client = new RawClient({ teardown: () => {} }, port)
      client.write(`POST ${sent.kind.path}?n=${n} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nx-request-id: fuzz-${n}\r\n${codex ? 'originator: codex_exec\r\n' : ''}Content-Length: 2\r\n\r\n{}`)
      const { terminated, mayEnd } = verdictAt(sent, whole.length)
      if (!orderly) {
        // A reset drops what its peer has not read: it comes once all is there, or all but what is held back.
        await client.until(() => client.received.includes('\r\n\r\n'))
        if (terminated || !codex || coding !== undefined) await client.until(() => bodyOf(client.received).length >= body.length)
        await stream.reset()
      }
      let received = ''
      const answer = await client.answer().then(({ body }) => body, (error: unknown) => {
        received = JSON.parse((error as Error).message.replace(/^[^"]*/, '')) as string
        return undefined
      })
      client.socket.destroy()
      open.delete(n)
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
  })
})
