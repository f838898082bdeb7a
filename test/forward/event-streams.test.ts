import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import zlib from 'node:zlib'
import t, { type Test } from 'tap'
import { cut } from '../../src/forward/cut.ts'
import { Beside, decoderFor } from '../../src/forward/event-streams/decoder.ts'
import { canExplain, clientOf, deedFor, endings, words } from '../../src/forward/event-streams/endings.ts'
import { EventStreamBody } from '../../src/forward/event-streams/event-stream-body.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { resetOnceRead } from '../fixtures/reset-once-read.ts'
import { configFor, startSidecar } from '../fixtures/sidecar.ts'
import { startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

const ok = 'HTTP/1.1 200 OK\r\n'
const framing = 'Transfer-Encoding: chunked\r\n\r\n'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
const last = '0\r\n\r\n'
const delta = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"delta":"hi"}\n\n'
const completed = 'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
const codex = 'originator: codex_exec\r\n'

/** An upstream under the test's control behind a sidecar: `ask` sends one request, and knows the socket on which it arrives. */
async function open (t: Test, heartbeat?: number) {
  const arrivals = new Map<string, (socket: Socket) => void>()
  const upstream = await startRawUpstream(t, socket => {
    socket.on('data', bytes => { arrivals.get(/\/n\d+\//.exec(bytes.toString('latin1'))?.[0] ?? '')?.(socket) })
  })
  const { routes } = configFor({ upstream: upstream.url })
  const { port, line } = await startSidecar(t, { upstream: upstream.url, ...(heartbeat === undefined ? {} : { config: { routes: routes.map(route => ({ ...route, heartbeat })) } }) })
  return { arrivals, port, line }
}

/** Asks on `path`, into which a number of its own is put. */
async function ask (t: Test, { arrivals, port, line }: Awaited<ReturnType<typeof open>>, plainPath: string, who = '') {
  const number = `/n${arrivals.size}/`
  const path = plainPath.replace(/(?<=^\/[^/]+)\//, number)
  const asked = new Promise<Socket>(resolve => { arrivals.set(number, resolve) })
  const client = new RawClient(t, port)
  client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${who}Content-Length: 2\r\n\r\n{}`)
  const socket = await asked
  const send = (text: string): void => { socket.write(text, 'latin1') }
  /** Sends what stands between the framing's first and last bytes, and ends as said. */
  const answer = (head: string, body: string, end: 'orderly' | 'rst'): void => {
    socket.write(`${ok}${head}${framing}${chunk(body)}${end === 'orderly' ? last : ''}`, 'latin1', () => { if (end === 'rst') void resetOnceRead(socket) })
  }
  return { client, socket, send, answer, ending: async () => (await line(entry => entry['path'] === path))['ending'] }
}

/** Sees to it that an answer comes whole and byte for byte, or is cut behind what came of it. */
async function seen (t: Test, { client, ending }: Awaited<ReturnType<typeof ask>>, { says, body, expected }: { says: string, body: string, expected: string }): Promise<void> {
  if (expected === 'whole') t.equal((await client.answer()).body, body, says)
  else {
    await client.closed()
    t.ok(client.received.includes(body), `${says}: what came is there`)
    t.notMatch(client.received, /\r\n0\r\n\r\n$/)
  }
  t.equal(await ending(), expected, says)
}

t.test('what a stream is, its bytes say, where its head does not (B1)', async t => {
  const site = await open(t)
  const heads = ['', 'Content-Type: application/octet-stream\r\n', 'Content-Type: text/plain; charset=utf-8\r\n']
  for (const head of heads) {
    for (const end of ['orderly', 'rst'] as const) {
      await t.test(`${head === '' ? 'no type' : head.trim()}, broken, ${end}`, async t => {
        const { client, answer, ending } = await ask(t, site, '/backend-api/codex/responses', codex)
        answer(head, delta, end)
        const { body, headers } = await client.answer()
        t.equal(body.slice(0, delta.length), delta)
        t.match(body.slice(delta.length), /^event: error\n.*"sequence_number":5.*\n\nevent: response.failed\n.*"sequence_number":6/)
        t.equal(headers['content-type'], head === '' ? undefined : head.slice(14, -2), 'nothing is added to its head')
        t.equal(await ending(), 'explained')
      })
    }
  }
  await t.test('an orderly half is cut for those who recover from that only', async t => {
    const { client, answer, ending } = await ask(t, site, '/backend-api/codex/responses')
    answer('', delta, 'orderly')
    await client.closed()
    t.notMatch(client.received, /\r\n0\r\n\r\n$/)
    t.equal(await ending(), 'cut')
  })
  await t.test('whole, whatever its socket does', async t => {
    const { client, answer, ending } = await ask(t, site, '/v1/responses', codex)
    answer('', delta + completed, 'rst')
    t.equal((await client.answer()).body, delta + completed)
    t.equal(await ending(), 'whole')
  })
  await t.test('and its bytes do not wait until they have said it', async t => {
    const { client, send } = await ask(t, site, '/v1/responses', codex)
    send(`${ok}${framing}${chunk('e')}`)
    await client.until(() => client.received.endsWith(chunk('e')))
    send(chunk('vent: a\n'))
    await client.until(() => client.received.endsWith(chunk('vent: a\n')))
    send(chunk(`data: {}\n\n${delta}`))
    send(last)
    t.match((await client.answer()).body, /^event: a\ndata: \{\}\n\nevent: response.output_text.delta\n.*\n\nevent: error\n/)
  })
  await t.test('what comes behind its end goes on', async t => {
    const { client, send } = await ask(t, site, '/v1/responses', codex)
    send(`${ok}${framing}${chunk(completed)}`)
    await client.until(() => client.received.includes(completed))
    send(chunk(': b') + last)
    t.equal((await client.answer()).body, `${completed}: b`)
  })
  await t.test('broken while they have not said it yet', async t => {
    const { client, answer, ending } = await ask(t, site, '/v1/responses', codex)
    answer('', 'dat', 'orderly')
    t.equal((await client.answer()).body, 'dat')
    t.equal(await ending(), 'whole')
    const second = await ask(t, site, '/v1/responses', codex)
    second.answer('', 'dat', 'rst')
    await second.client.closed()
    t.equal(await second.ending(), 'cut')
  })
})

t.test('what is none passes as it is', async t => {
  const site = await open(t, 60_000)
  const cases: [head: string, path: string, body: string][] = [
    ['', '/v1/responses', '{"id":"resp_1"}'], ['Content-Type: text/plain\r\n', '/v1/messages', 'hello'], ['Content-Type: text/event-stream\r\n', '/v1/responses', '{"error":{}}'],
    ['', '/v1/models', 'data: 1\n\n'], ['Content-Type: text/html\r\n', '/v1/responses', 'data: 1'], ['Content-Type: application/octet-stream\r\n', '/v1/audio/speech', '\xff\xfbmp3'],
    ['', '/v1/responses', '<html>'], ['Content-Type: application/octet-stream\r\n', '/v1/audio/speech', `:\x00\x01\x02${'\x07'.repeat(5_000)}`], ['', '/v1/audio/speech', `:\x00\x01\x02${'\x07'.repeat(5_000)}`],
    ['Content-Type: text/plain; charset=utf-8\r\n', '/v1/audio/transcriptions', 'data: the new oil. And more of it.\nevent: "what'], ['Content-Type: text/plain\r\n', '/v1/completions', ':) hello'],
    ['Content-Type: text/plain\r\n', '/v1/completions', 'id: 1\nname: {"a'], ['Content-Type: text/plain\r\n', '/v1/completions', ': a\n- b']
  ]
  for (const [head, path, body] of cases) {
    const { client, answer, ending } = await ask(t, site, path, codex)
    answer(head, body, 'orderly')
    t.equal((await client.answer()).body, body, body)
    t.equal(await ending(), 'whole')
  }
  const { client, answer, ending } = await ask(t, site, '/v1/responses', codex)
  answer('', '{"id"', 'rst')
  await client.closed()
  t.equal(await ending(), 'cut')
})

t.test('streams as servers send them', async t => {
  const site = await open(t)
  const sse = 'Content-Type: text/event-stream\r\n'
  const json = 'Content-Type: application/json; charset=utf-8\r\n'
  const gzip = `${sse}Content-Encoding: gzip\r\n`
  const packed = (...texts: string[]): string => texts.map(text => zlib.gzipSync(text).toString('latin1')).join('')
  const run = 'event: thread.run.created\ndata: {"object":"thread.run"}\n\n'
  const done = 'event: done\ndata: [DONE]\n\n'
  const finished = 'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n'
  const usage = 'data: {"choices":[],"usage":{}}\n\n'
  const cases: [says: string, path: string, head: string, body: string, end: 'orderly' | 'rst', expected: 'whole' | 'cut'][] = [
    ['half a stream said to be JSON', '/v1/responses', json, delta, 'orderly', 'cut'],
    ['a stream said to be JSON', '/v1/responses', json, delta + completed, 'rst', 'whole'],
    ['JSON', '/v1/responses', json, ' {"id":1}', 'orderly', 'whole'],
    ['compressed JSON', '/v1/responses', `${json}Content-Encoding: gzip\r\n`, packed('{"id":1}'), 'orderly', 'whole'],
    ['a comment first, half', '/v1/responses', '', `: processing\n\n${delta}`, 'orderly', 'cut'],
    ['comments only', '/v1/responses', sse, ': processing\n\n'.repeat(9), 'orderly', 'cut'],
    ['a coding and none, half', '/v1/responses', `${sse}Content-Encoding: GZIP , identity\r\n`, packed(delta), 'orderly', 'cut'],
    ['two members', '/v1/responses', gzip, packed(delta, completed), 'orderly', 'whole'],
    ['two members, half', '/v1/responses', gzip, packed(delta, delta), 'orderly', 'cut'],
    ['half of the second member', '/v1/responses', gzip, packed(delta, completed).slice(0, -60), 'orderly', 'cut'],
    ['a run of an assistant', '/v1/threads/t_1/runs', sse, run + done, 'rst', 'whole'],
    ['half of one', '/v1/threads/runs', sse, run, 'orderly', 'cut'],
    ['half of one with outputs of tools', '/v1/threads/t_1/runs/r_1/submit_tool_outputs', sse, run, 'orderly', 'cut'],
    ['chat without [DONE], its usage last', '/v1/chat/completions', sse, finished + usage, 'orderly', 'whole'],
    ['the same, reset', '/v1/chat/completions', sse, finished + usage, 'rst', 'cut'],
    ['an incomplete response', '/v1/responses', sse, 'data: {"type":"response.incomplete"}\n\n', 'rst', 'whole'],
    ['a cancelled response', '/v1/responses', sse, 'data: {"type":"response.cancelled"}\n\n', 'rst', 'whole']
  ]
  for (const [says, path, head, body, end, expected] of cases) {
    const asked = await ask(t, site, path)
    asked.answer(head, body, end)
    await seen(t, asked, { says, body, expected })
  }
})

t.test('a stream of another dialect is its own affair, whatever its path is called', async t => {
  const site = await open(t, 60_000)
  const sse = 'Content-Type: text/event-stream\r\n'
  const cases: [path: string, body: string][] = [
    ['/backend-api/mcp/messages', 'event: endpoint\ndata: /messages?sessionId=1\n\n'], ['/backend-api/forms/responses', 'event: row\ndata: {"n":1}\n\n'],
    ['/v1/code/completions', 'data: {"completion":"a"}\n\ndata: {"completion":"b","stop":true}\n\n'], ['/v1/chat/completions', 'data: {"content":"","stop":true}\n\n'],
    ['/v1/audio/transcriptions', 'data: {"text":"a"}\n\ndata: {"text":"b"}\n\n']
  ]
  for (const [path, body] of cases) {
    for (const coding of ['', 'gzip']) {
      for (const end of ['orderly', 'rst'] as const) {
        const asked = await ask(t, site, path, codex)
        const sent = coding === '' ? body : zlib.gzipSync(body).toString('latin1')
        asked.answer(`${sse}${coding === '' ? '' : `Content-Encoding: ${coding}\r\n`}`, sent, end)
        await seen(t, asked, { says: `${path}, ${coding}, ${end}`, body: sent, expected: end === 'rst' ? 'cut' : 'whole' })
      }
    }
  }
})

t.test('a stream that breaks behind the failure of a tool is broken all the same', async t => {
  const site = await open(t)
  const body = `${delta}event: response.mcp_call.failed\ndata: {"type":"response.mcp_call.failed","sequence_number":5,"error":{"message":"the tool failed"}}\n\n${delta}`
  for (const end of ['orderly', 'rst'] as const) {
    const asked = await ask(t, site, '/v1/responses')
    asked.answer('Content-Type: text/event-stream\r\n', body, end)
    await seen(t, asked, { says: end, body, expected: 'cut' })
  }
})

t.test('an event stream that comes in one read stays chunked (F9)', async t => {
  const site = await open(t)
  for (const head of ['', 'Content-Type: text/event-stream\r\n']) {
    const { client, answer } = await ask(t, site, '/v1/responses')
    answer(head, completed, 'orderly')
    const { headers, body } = await client.answer()
    t.match(headers, { 'transfer-encoding': 'chunked', 'content-length': undefined })
    t.equal(body, completed)
  }
  const { client, answer } = await ask(t, site, '/backend-api/wham/apps')
  answer('Content-Type: text/event-stream\r\n', 'data: 1\n\n', 'orderly')
  t.equal((await client.answer()).headers['transfer-encoding'], 'chunked', 'one that is no model’s too')
  const json = await ask(t, site, '/v1/responses')
  json.answer('', '{}', 'orderly')
  t.equal((await json.client.answer()).headers['content-length'], '2', 'other answers get their length')
})

t.test('a terminal event over 1 MB, reset within it, is not whole (F3)', async t => {
  const site = await open(t)
  const { client, socket, send, ending } = await ask(t, site, '/v1/responses', codex)
  send(`${ok}Content-Type: text/event-stream\r\n${framing}${chunk(`event: response.completed\ndata: {"type":"response.completed","text":"${'x'.repeat(1_200_000)}`)}`)
  await client.until(() => client.received.length > 1_200_000)
  socket.resetAndDestroy()
  await client.closed()
  t.equal(await ending(), 'cut')
})

type Encode = (bytes: Buffer) => Buffer
type Encoder = () => zlib.Gzip
const { zstdCompressSync, createZstdCompress } = zlib as { zstdCompressSync?: Encode, createZstdCompress?: Encoder } // Node 22.15
const codings: [name: string, encode: Encode, encoder: Encoder][] = [
  ['gzip', zlib.gzipSync, zlib.createGzip], ['x-gzip', zlib.gzipSync, zlib.createGzip], ['deflate', zlib.deflateSync, zlib.createDeflate],
  ['deflate', zlib.deflateRawSync, zlib.createDeflateRaw], ['br', zlib.brotliCompressSync, zlib.createBrotliCompress]
]
if (zstdCompressSync !== undefined && createZstdCompress !== undefined) codings.push(['zstd', zstdCompressSync, createZstdCompress])

/** All of the text, and not the end of the coding. */
async function unfinished (encoder: Encoder, text: string): Promise<string> {
  const stream = encoder()
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  stream.write(text)
  await new Promise<void>(resolve => { stream.flush(resolve) })
  stream.destroy()
  return Buffer.concat(pieces).toString('latin1')
}

t.test('compressed streams go through untouched, and are known to be whole or not (B2)', async t => {
  const site = await open(t, 60_000)
  for (const [name, encode] of codings) {
    for (const type of ['', 'Content-Type: text/event-stream\r\n']) {
      const head = `${type}Content-Encoding: ${name}\r\n`
      const whole = encode(Buffer.from(delta + completed)).toString('latin1')
      const half = encode(Buffer.from(delta)).toString('latin1')
      const cases: [says: string, body: string, end: 'orderly' | 'rst', ending: string][] = [
        ['whole', whole, 'orderly', 'whole'], ['whole, then reset', whole, 'rst', 'whole'], ['half, an orderly end', half, 'orderly', 'cut'], ['half, reset', half, 'rst', 'cut']
      ]
      for (const [says, body, end, expected] of cases) {
        const asked = await ask(t, site, '/v1/responses', codex)
        asked.answer(head, body, end)
        await seen(t, asked, { says: `${name}, ${says}`, body, expected })
      }
    }
  }
})

t.test('an orderly end within the coding is none, whatever the events say', async t => {
  const site = await open(t)
  const background = 'data: {"type":"response.created","response":{"id":"resp_1","background":true}}\n\n'
  const cases: [says: string, path: string, text: string, expected: 'whole' | 'cut'][] = [
    ['a model’s', '/v1/responses', delta, 'cut'],
    ['one that may end anywhere', '/v1/responses', background, 'cut'],
    ['all choices are finished', '/v1/chat/completions', 'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n', 'cut'],
    ['one that is no model’s', '/backend-api/wham/apps', 'data: 1\n\n', 'cut'],
    ['its terminal event came before', '/v1/responses', delta + completed, 'whole'],
    ['no event stream', '/v1/responses', '{"id":1}', 'whole']
  ]
  for (const [name, , encoder] of codings) {
    for (const [says, path, text, expected] of cases) {
      const asked = await ask(t, site, path)
      const body = await unfinished(encoder, text)
      asked.answer(`${says === 'no event stream' ? '' : 'Content-Type: text/event-stream\r\n'}Content-Encoding: ${name}\r\n`, body, 'orderly')
      await seen(t, asked, { says: `${name}, ${says}`, body, expected })
    }
  }
})

t.test('what cannot be read beside its way passes as it is', async t => {
  const site = await open(t)
  const gzip = (text: string): string => zlib.gzipSync(text).toString('latin1')
  const cases: [says: string, head: string, body: string, expected: 'whole' | 'cut'][] = [
    ['an unknown coding', 'Content-Type: text/event-stream\r\nContent-Encoding: snappy\r\n', 'snap', 'whole'],
    ['zstd, of which Node 20 has no decoder', 'Content-Type: text/event-stream\r\nContent-Encoding: zstd\r\n', Buffer.from('KLUv/SCajQIAkoQPFqClOh/3f9NfafQyNcL/sHFbzN70QgF3rcb3ySIRd62s2Aot1il4BwPLi7nyY0PO/OErvxKxQimVAQOPHHAFAEULYMVyvIC8qmtEsxUU', 'base64').toString('latin1'), 'whole'],
    ['no zstd, though it says so', 'Content-Type: text/event-stream\r\nContent-Encoding: zstd\r\n', 'zstd', 'whole'],
    ['two codings', 'Content-Type: text/event-stream\r\nContent-Encoding: br, gzip\r\n', 'x', 'whole'],
    ['not what it says', 'Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n', delta, 'whole'],
    ['no event stream', 'Content-Encoding: gzip\r\n', gzip('{"id":1}'), 'whole'],
    ['nothing', 'Content-Encoding: gzip\r\n', gzip(''), 'whole'],
    ['nothing, said to be a stream', 'Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n', gzip(''), 'cut'],
    ['identity', 'Content-Type: text/event-stream\r\nContent-Encoding: identity\r\n', completed, 'whole']
  ]
  for (const [says, head, body, expected] of cases) {
    const { client, answer, ending } = await ask(t, site, '/v1/responses')
    answer(head, body, 'orderly')
    if (expected === 'whole') t.equal((await client.answer()).body, body, says)
    else await client.closed()
    t.equal(await ending(), expected, says)
  }
  await t.test('a compressed stream that is no model’s', async t => {
    const { client, answer, ending } = await ask(t, site, '/backend-api/wham/apps')
    const body = gzip('data: 1\n\n')
    answer('Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n', body, 'orderly')
    t.equal((await client.answer()).body, body)
    t.equal(await ending(), 'whole')
  })
  await t.test('what a flood of it holds', async t => {
    const { client, answer, ending } = await ask(t, site, '/v1/responses')
    const body = gzip(`data: {"type":"response.output_text.delta","delta":"${'x'.repeat(50_000_000)}"}\n\n`)
    answer('Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n', body, 'orderly')
    t.equal((await client.answer()).body, body)
    t.equal(await ending(), 'whole')
  })
  await t.test('a compressed stream without any body', async t => {
    const { client, send, ending } = await ask(t, site, '/v1/responses')
    send(`${ok}Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n${framing}${last}`)
    await client.closed()
    t.equal(await ending(), 'cut')
  })
  await t.test('one that the client leaves', async t => {
    const { client, send, ending } = await ask(t, site, '/v1/responses')
    send(`${ok}Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n${framing}${chunk(gzip(delta))}`)
    await client.until(() => client.received.includes('\x1f\x8b'))
    client.socket.destroy()
    t.equal(await ending(), 'client_gone')
  })
})

t.test('a decompression bomb costs what it is worth, and goes through', async t => {
  const bomb = zlib.gzipSync(Buffer.alloc(500_000_000, `data: {"delta":"${'x'.repeat(100)}"}\n\n`))
  let read = 0
  const beside = new Beside(decoderFor('gzip') as NonNullable<ReturnType<typeof decoderFor>>, bytes => { read += bytes.length })
  // All of it would be 500 MB: its first bytes, and then too much at once, are given up.
  beside.write(bomb.subarray(0, 20_000))
  t.equal(await beside.finish(), 'lost')
  t.ok(read <= (1 << 20) + 200 * 20_000, `${read} bytes were read of 20,000`)
  beside.write(bomb)
  t.equal(await beside.finish(), 'lost')
  const flooded = new Beside(decoderFor('gzip') as NonNullable<ReturnType<typeof decoderFor>>, () => {})
  flooded.write(zlib.gzipSync(Buffer.from('data: 1\n\n')))
  flooded.write(Buffer.alloc(1_100_000))
  t.equal(flooded.lost, true, 'nor does more wait than can be decoded meanwhile')
})

t.test('a heart-beat is what its clients take as a sign of life, on event boundaries only', async t => {
  const site = await open(t, 100)
  const cases: [path: string, event: string, sign: string, terminal: string][] = [
    ['/v1/responses', delta, 'event: keepalive\ndata: {"type":"keepalive","sequence_number":4}\n\n', completed],
    ['/v1/messages', 'event: message_start\ndata: {"type":"message_start"}\n\n', 'event: ping\ndata: {"type":"ping"}\n\n', 'event: message_stop\ndata: {}\n\n'],
    ['/v1/chat/completions', 'data: {"choices":[]}\n\n', ': keep-alive\n\n', 'data: [DONE]\n\n']
  ]
  for (const [path, event, sign, terminal] of cases) {
    await t.test(path, async t => {
      const { client, send, ending } = await ask(t, site, path)
      send(`${ok}Content-Type: text/event-stream\r\n${framing}`)
      await client.until(() => client.received.includes(chunk(path === '/v1/responses' ? ': keep-alive\n\n' : sign)))
      t.match(client.received, /^HTTP\/1\.1 200 OK\r\n/, 'before the first event, behind the upstream’s own head')
      send(chunk(event) + chunk(terminal.slice(0, 9)))
      await client.until(() => client.received.includes(chunk(event)) && client.received.slice(client.received.indexOf(chunk(event))).includes(chunk(sign) + chunk(sign)))
      t.notMatch(client.received, chunk(terminal.slice(0, 9)), 'what is not a whole event yet is held back, so that the beat stands before it')
      send(chunk(terminal.slice(9)) + last)
      const { body } = await client.answer()
      t.equal(body.replaceAll(sign, '').replaceAll(': keep-alive\n\n', ''), event + terminal, 'all else is as it was')
      t.ok(body.endsWith(terminal), 'nothing follows the last event')
      t.equal(await ending(), 'whole')
    })
  }
  await t.test('not in what is no model’s stream, not within an event, not behind the last, not before it is known to be one', async t => {
    const idle: [path: string, head: string, body: string][] = [
      ['/backend-api/wham/apps', 'Content-Type: text/event-stream\r\n', 'data: {"jsonrpc":"2.0"}\n\n'], ['/v1/responses', '', 'ev'],
      ['/v1/responses', 'Content-Type: text/event-stream\r\n', completed], ['/v1/responses', 'Content-Type: text/event-stream\r\n', 'da'], ['/v1/responses', '', '{"a":']
    ]
    await Promise.all(idle.map(async ([path, head, body]) => {
      const { client, send } = await ask(t, site, path)
      send(`${ok}${head}${framing}${chunk(body)}`)
      await client.until(() => client.received.includes(chunk(body)))
      const beside = await ask(t, site, '/v1/messages')
      beside.send(`${ok}Content-Type: text/event-stream\r\n${framing}`)
      await beside.client.until(() => beside.client.received.split('ping').length > 6)
      t.ok(client.received.endsWith(chunk(body)), `${path}, ${body}`)
    }))
  })
  await t.test('a broken stream ends as it would without', async t => {
    const { client, answer, ending } = await ask(t, await open(t, 60_000), '/v1/messages')
    answer('Content-Type: text/event-stream\r\n', 'event: a\ndata: {"b"', 'orderly')
    await client.closed()
    t.match(client.received, chunk('event: a\ndata: {"b"'), 'with all that came')
    t.equal(await ending(), 'cut')
  })
})

t.test('an event of ours can stand before a cut, where the table says so', async t => {
  const { url } = await startUpstream(t, (_request, response) => {
    const body = new EventStreamBody(response, { status: 200, message: '', headers: ['Content-Type', 'text/event-stream'] }, {
      protocol: 'messages', declared: true, heartbeat: undefined, overhear: () => {}, endings: [{ after: ['ended'], deed: 'explain, cut', evidence: '' }, { protocols: ['chat'], deed: 'explain', evidence: '' }, { deed: 'cut', evidence: '' }]
    })
    body.data(Buffer.from('event: message_start\ndata: {}\n\n'))
    t.equal(body.end([]), 'explained')
  })
  const client = new RawClient(t, Number(new URL(url).port))
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.closed()
  t.match(client.received, /event: message_start\ndata: \{\}\n\n.*event: error\ndata: .*upstream_reset/s)
  t.notMatch(client.received, /\r\n0\r\n\r\n$/)
})

t.test('a broken stream behind another answer that is not over yet is cut all the same', async t => {
  const responses: ServerResponse[] = []
  const { url } = await startUpstream(t, (_request, response) => { responses.push(response) })
  const client = new RawClient(t, Number(new URL(url).port))
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2))
  while (responses.length < 2) await new Promise(resolve => setImmediate(resolve))
  responses[1]?.write('half')
  cut(responses[1] as ServerResponse, true)
  responses[0]?.end('first')
  await client.closed()
  t.match(client.received, /first.*HTTP\/1\.1 200 OK.*half\r\n$/s, 'what came of it is there, and no end')
})

t.test('what is done about a broken stream stands in one table', async t => {
  t.ok(endings.every(({ evidence }) => evidence.length > 20), 'each row says why')
  t.strictSame(endings.filter(({ client, protocols, after }) => client === undefined && protocols === undefined && after === undefined).length, 1)
  t.equal(endings.at(-1)?.client, undefined, 'the last row fits all')
  const codex = clientOf({ originator: 'codex_exec', 'user-agent': 'codex_exec/0.169.0' })
  t.equal(deedFor(codex, 'responses', 'reset'), 'explain')
  t.equal(deedFor(codex, 'chat', 'reset'), 'cut')
  // As the real programs were seen to call themselves.
  const agents: [agent: string, originator: string | undefined, protocol: 'responses' | 'chat' | 'messages', deed: string][] = [
    ['codex_exec/0.169.0 (Debian 13.0.0; x86_64) dumb', 'codex_exec', 'responses', 'explain'],
    ['codex_sdk_ts/0.163.0 (Debian 13.0.0; x86_64) dumb', 'codex_sdk_ts', 'responses', 'explain'],
    ['pi (linux 6.18.44; x64)', 'pi', 'responses', 'explain'],
    ['openclaw (linux 6.18.44; x64)', 'openclaw', 'responses', 'explain'],
    ['OpenAI/JS 6.26.0', undefined, 'responses', 'cut'],
    ['OpenAI/JS 7.15.0', undefined, 'chat', 'cut'],
    ['opencode/1.18.33 ai-sdk/provider-utils/4.0.0 runtime/bun/1.3.0', 'opencode', 'responses', 'cut'],
    ['Kilo-Code/7.7.7 ai-sdk/openai-compatible/3.0.37', undefined, 'chat', 'cut'],
    ['QwenCode/0.24.4 (linux; x64)', undefined, 'chat', 'cut'],
    ['ls/JS 5.23.2', undefined, 'chat', 'cut'],
    ['node-fetch', undefined, 'messages', 'cut']
  ]
  for (const [agent, originator, protocol, deed] of agents) {
    const client = clientOf({ 'user-agent': agent, ...(originator !== undefined && { originator }) })
    for (const how of ['ended', 'reset'] as const) t.equal(deedFor(client, protocol, how), deed, `${agent}, ${protocol}, ${how}`)
    t.equal(canExplain(client), deed !== 'cut', agent)
  }
  const claude = clientOf({ 'user-agent': 'claude-cli/2.1.332 (external, sdk-cli)' })
  t.strictSame([deedFor(claude, 'messages', 'ended'), deedFor(claude, 'messages', 'reset')], ['explain', 'cut'])
  t.equal(canExplain(clientOf({})), false)
  for (const [how, said] of Object.entries(words)) t.match(said, /connection error.*connection reset/i, `${how}: clients know it for a lost connection`)
})
