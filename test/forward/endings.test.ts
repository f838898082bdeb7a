import { gzipSync } from 'node:zlib'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { NoBody } from '../../src/forward/plain-body.ts'
import { relay } from '../../src/forward/relay.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { resetOnceRead } from '../fixtures/reset-once-read.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n'
const chunk = (text: string): string => `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n`
const chunked = (...texts: string[]): string => `${head}Transfer-Encoding: chunked\r\n\r\n${texts.map(chunk).join('')}`
const last = '0\r\n\r\n'

/** Clients for which a broken stream is explained, and one that recovers from a lost connection only. */
const codex = 'originator: codex_exec\r\n'
const openclaw = 'User-Agent: openclaw (linux; x64)\r\n'
const qwen = 'User-Agent: QwenCode/0.24.4 (linux; x64)\r\n'

/** What a client gets on `path` from an upstream that sends these bytes and then ends its socket in the way given. */
async function ask (t: Test, path: string, bytes: string | Buffer, end: 'stay' | 'fin' | 'rst' = 'stay', who = codex) {
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => {
    upstreamSocket = socket
    socket.once('data', () => {
      socket.write(bytes, 'latin1', () => { // a string or bytes; both are taken
        if (end === 'fin') socket.end()
        if (end === 'rst') void resetOnceRead(socket)
      })
    })
  })
  const { port, line } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${who}Content-Length: 2\r\n\r\n{}`)
  return { client, reset: () => upstreamSocket?.resetAndDestroy(), ending: async () => (await line(l => l['path'] === path))['ending'] }
}

const delta = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n'
const completed = 'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
const chatDelta = 'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
const userText = 'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","metadata":{"type":"response.completed"},"a":"\\"type\\":\\"response.completed\\""}}\n\n'
const partialImage = 'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AA=="}\n\n'
const messageDelta = 'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'

type Broken = [name: string, path: string, bytes: string, end: 'stay' | 'fin' | 'rst', kept: string]
const explained: [...Broken, said: RegExp][] = [
  ['responses, reset', '/v1/responses', chunked(delta, 'event: resp'), 'rst', delta, /^event: error\ndata: \{"type":"error","code":"upstream_reset".*"sequence_number":0,"error":\{.*\n\nevent: response\.failed\ndata: \{"type":"response\.failed","sequence_number":1,"response":\{.*"status":"failed","error":\{"code":"server_error","message":"Upstream connection error \(connection reset\): the upstream closed/],
  ['responses, an orderly end without the last event', '/backend-api/codex/responses', chunked(delta) + last, 'stay', delta, /"message":"Upstream connection error \(connection reset\): the stream ended before it was complete\. Your own connection is unharmed; retry\."/],
  ['responses, an orderly end within an event', '/v1/responses', chunked(delta, 'data: {"typ') + last, 'stay', delta, /before it was complete/],
  ['responses, nothing at all', '/v1/responses', chunked() + last, 'stay', '', /before it was complete/],
  ['responses, FIN without framing', '/v1/responses', `${head}\r\n${delta}`, 'fin', delta, /before it was complete/],
  ['responses, FIN within the framing', '/v1/responses', chunked(delta), 'fin', delta, /response\.failed/],
  ['responses, garbage in the framing', '/v1/responses', `${chunked(delta)}zz\r\n`, 'stay', delta, /"code":"upstream_protocol".*not valid HTTP/],
  ['responses, its end in text that a user wrote (E7)', '/v1/responses', chunked(delta, userText), 'rst', delta + userText, /response\.failed/]
]

t.test('a stream that the upstream breaks is explained to those who recover from that too', async t => {
  for (const [who, [name, path, bytes, end, kept, said]] of [codex, openclaw].flatMap(who => explained.map(row => [who, row] as const))) {
    await t.test(`${name}, ${who.trim()}`, async t => {
      const { client, ending } = await ask(t, path, bytes, end, who)
      const { status, body } = await client.answer()
      t.equal(status, 200)
      t.equal(body.slice(0, kept.length), kept, 'what was whole is there, byte for byte')
      t.match(body.slice(kept.length), said, 'and then the explanation')
      t.equal(await ending(), 'explained')
      t.equal(client.ended, false, 'the client’s connection lives')
    })
  }
})

const unsaid: Broken[] = [
  ...explained.map(([name, path, bytes, end, kept]): Broken => [name, path, bytes, end, kept]),
  ['chat, reset', '/v1/chat/completions', chunked(chatDelta), 'rst', chatDelta],
  ['chat, an orderly end without [DONE]', '/v1/chat/completions', chunked(chatDelta) + last, 'stay', chatDelta],
  ['chat, an empty finish_reason (B5)', '/v1/chat/completions', chunked(chatDelta.replace('null', '""')) + last, 'stay', chatDelta.replace('null', '""')],
  ['chat, one choice of two is finished', '/v1/chat/completions', chunked(chatDelta, chatDelta.replace('{"delta"', '{"index":1,"delta"').replace('null', '"stop"')) + last, 'stay', chatDelta],
  ['messages, reset', '/v1/messages', chunked(messageDelta), 'rst', messageDelta],
  ['messages, an orderly end without message_stop', '/v1/messages', chunked(messageDelta) + last, 'stay', messageDelta],
  ['images, an orderly end without the image (B7)', '/v1/images/generations', chunked(partialImage) + last, 'stay', partialImage],
  ['transcription, an orderly end without its text', '/v1/audio/transcriptions', chunked('data: {"type":"transcript.text.delta"}\n\n') + last, 'stay', 'data: '],
  ['speech, reset', '/v1/audio/speech', chunked('data: {"type":"speech.audio.delta"}\n\n'), 'rst', 'data: '],
  ['a stream that is no model’s, reset (B6)', '/backend-api/wham/apps', chunked('event: message\ndata: {"jsonrpc":"2.0","id":1}\n\n'), 'rst', 'event: message'],
  ['a stream that is no model’s, nothing of it', '/backend-api/wham/apps', chunked(), 'rst', ''],
  ['JSON-RPC on the path of a model, reset', '/v1/messages', chunked('event: message\ndata: {"jsonrpc":"2.0","id":1}\n\n'), 'rst', 'event: message'],
  ['a model’s stream on another path, an orderly end', '/v1/anything', chunked(delta) + last, 'stay', delta]
]

t.test('a stream that the upstream breaks is cut for those who recover from a lost connection only', async t => {
  for (const [name, path, bytes, end, kept] of unsaid) {
    await t.test(name, async t => {
      const { client, ending } = await ask(t, path, bytes, end, qwen)
      await client.closed()
      t.match(client.received, 'HTTP/1.1 200 OK')
      t.ok(client.received.includes(kept), 'what came is there')
      t.notMatch(client.received, /\r\n0\r\n\r\n$/, 'no orderly end')
      t.notMatch(client.received, /server_error|api_error/, 'nothing is put in')
      t.equal(await ending(), 'cut')
    })
  }
})

t.test('to a client of HTTP/1.0 a broken stream is a reset: an orderly end would be its whole answer', async t => {
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => { upstreamSocket = socket; socket.once('data', () => socket.write(chunked(delta))) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write('POST /v1/responses HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 2\r\n\r\n{}')
  await client.until(() => client.received.includes(delta))
  const failed = once(client.socket, 'error')
  upstreamSocket?.write(last)
  t.match(await failed, [{ code: 'ECONNRESET' }])
})

const twoChoices = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"finish_reason":"length"}]}\n\ndata: {"choices":[{"index":0,"finish_reason":null}]}\n\n'
const background = 'data: {"type":"response.created","response":{"id":"resp_1","background":true}}\n\n'
const hugeCompleted = `data: {"response":{"text":"${'x'.repeat(1_200_000)}"},"type":"response.completed"}\n\n`
const whole: [name: string, path: string, bytes: string, end: 'stay' | 'fin' | 'rst', body: string][] = [
  ['responses', '/v1/responses', chunked(delta, completed) + last, 'stay', delta + completed],
  ['responses, reset after the last event', '/v1/responses', chunked(delta, completed), 'rst', delta + completed],
  ['responses, FIN after the last event', '/v1/responses', chunked(completed), 'fin', completed],
  ['responses, only data lines', '/v1/responses', chunked('data: {"response":{}, "type" : "response.incomplete"}\r\n\r\n') + last, 'stay', 'data: {"response":{}, "type" : "response.incomplete"}\r\n\r\n'],
  ['responses, an error of its own', '/v1/responses', chunked('data: {"type":"error","code":"x"}\n\n') + last, 'stay', 'data: {"type":"error","code":"x"}\n\n'],
  ['responses, the last event without its blank line', '/v1/responses', chunked('event: response.failed\ndata: {}') + last, 'stay', 'event: response.failed\ndata: {}'],
  ['responses, one event in many pieces', '/v1/responses', chunked(...completed.split('')) + last, 'stay', completed],
  ['chat', '/v1/chat/completions', chunked(chatDelta, 'data: [DONE]\n\n') + last, 'stay', `${chatDelta}data: [DONE]\n\n`],
  ['chat without [DONE] but finished', '/v1/chat/completions', chunked(chatDelta.replace('null', '"stop"')) + last, 'stay', chatDelta.replace('null', '"stop"')],
  ['messages', '/v1/messages', chunked('event: message_stop\ndata: {}\n\n') + last, 'stay', 'event: message_stop\ndata: {}\n\n'],
  ['chat, all choices are finished', '/v1/chat/completions', chunked(twoChoices) + last, 'stay', twoChoices],
  ['chat, an error of its own', '/v1/chat/completions', chunked(chatDelta, 'data: {"error":{"message":"no"}}\n\n'), 'rst', `${chatDelta}data: {"error":{"message":"no"}}\n\n`],
  ['responses, a comment behind the end', '/v1/responses', chunked(completed, ': bye\n') + last, 'stay', `${completed}: bye\n`],
  ['responses, response.done (B3)', '/v1/responses', chunked(delta, 'data: {"type":"response.done"}\n\n') + last, 'stay', `${delta}data: {"type":"response.done"}\n\n`],
  ['responses, one in the background', '/v1/responses', chunked(background) + last, 'stay', background],
  ['responses, a byte order mark before the only event (E8)', '/v1/responses', chunked('\xef\xbb\xbf' + completed) + last, 'stay', '\xef\xbb\xbf' + completed],
  ['responses, blanks before the type (E8)', '/v1/responses', chunked('data: {"type":  "response.completed"}\n\n'), 'rst', 'data: {"type":  "response.completed"}\n\n'],
  ['responses, over 1 MB with its type behind (E8)', '/v1/responses', chunked(hugeCompleted) + last, 'stay', hugeCompleted],
  ['images', '/v1/images/edits', chunked(partialImage, 'data: {"type":"image_edit.completed"}\n\n') + last, 'stay', `${partialImage}data: {"type":"image_edit.completed"}\n\n`],
  ['transcription', '/v1/audio/transcriptions', chunked('data: {"type":"transcript.text.done"}\n\n'), 'rst', 'data: {"type":"transcript.text.done"}\n\n'],
  ['speech', '/v1/audio/speech', chunked('data: {"type":"speech.audio.done"}\n\n'), 'rst', 'data: {"type":"speech.audio.done"}\n\n'],
  ['a stream that is no model’s', '/v1/realtime/calls', chunked('data: 1\r\r', 'data') + last, 'stay', 'data: 1\r\rdata']
]

t.test('a stream that is whole is passed on byte for byte, whatever its socket does afterwards', async t => {
  for (const [name, path, bytes, end, expected] of whole) {
    await t.test(name, async t => {
      const { client, ending } = await ask(t, path, bytes, end)
      t.match(await client.answer(), { status: 200, body: expected })
      t.equal(await ending(), 'whole')
    })
  }
})

t.test('a resumed background response may end before the response does (B4), and what breaks off is never called failed', async t => {
  const resumed = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":43}\n\n'
  for (const [bytes, end, expected] of [[chunked(resumed) + last, 'stay', 'whole'], [chunked(resumed), 'rst', 'cut']] as const) {
    const upstream = await startRawUpstream(t, socket => {
      socket.once('data', () => socket.write(bytes, () => { if (end === 'rst') void resetOnceRead(socket) }))
    })
    const { port, line } = await startSidecar(t, { upstream: upstream.url })
    const client = new RawClient(t, port)
    client.write(`GET /v1/responses/resp_1?stream=true&starting_after=42 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${codex}\r\n`)
    if (expected === 'whole') t.equal((await client.answer()).body, resumed, 'nothing is added')
    else await client.closed()
    t.notMatch(client.received, 'response.failed')
    t.equal((await line(({ path }) => path === '/v1/responses/resp_1'))['ending'], expected)
  }
})

t.test('what can not be explained is cut, so that it is seen', async t => {
  const cases: [name: string, path: string, bytes: string | Buffer][] = [
    ['JSON of a known length', '/v1/models', 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":'],
    ['chunked JSON', '/v1/models', `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('{"a":')}`],
    ['a compressed event stream', '/v1/responses', Buffer.concat([Buffer.from(`${head}Content-Encoding: gzip\r\n\r\n`), gzipSync(delta)])],
    ['an event stream of a known length', '/v1/responses', `${head}Content-Length: 1000\r\n\r\n${delta}`]
  ]
  for (const [name, path, bytes] of cases) {
    await t.test(name, async t => {
      const { client, ending } = await ask(t, path, bytes, 'rst')
      await client.closed()
      t.match(client.received, 'HTTP/1.1 200 OK')
      t.notMatch(client.received, /\r\n0\r\n\r\n$/, 'no orderly end')
      t.notMatch(client.received, 'response.failed')
      t.equal(await ending(), 'cut')
    })
  }
})

t.test('an event larger than what is held back goes through, and can not be explained within', async t => {
  const huge = 'x'.repeat(1_200_000)
  const { client, ending, reset } = await ask(t, '/v1/responses', chunked(`data: ${huge}`))
  await client.until(() => client.received.length > 1_200_000)
  reset()
  await client.closed()
  t.ok(client.received.length > 1_200_000, 'it was passed on')
  t.equal(await ending(), 'cut')
  await t.test('but behind it again', async t => {
    const { client, reset } = await ask(t, '/v1/responses', chunked(`data: ${huge}`, 'more\n\n'))
    await client.until(() => client.received.includes('more\n\n'))
    reset()
    t.match((await client.answer()).body, /more\n\nevent: error\n/)
  })
})

t.test('events are not held up', async t => {
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => { upstreamSocket = socket; socket.once('data', () => socket.write(chunked())) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
  await client.until(() => client.received.includes('\r\n\r\n'))
  t.match(client.received, /^HTTP\/1\.1 200 OK\r\n/, 'the head is there before any event')
  for (let i = 0; i < 5; i++) {
    upstreamSocket?.write(chunk(`data: ${i}\n\n`))
    await client.until(() => client.received.includes(`data: ${i}\n\n`))
  }
  upstreamSocket?.write(chunk('data: [DONE') + chunk(']'))
  upstreamSocket?.write(chunk('\n\n'))
  await client.until(() => client.received.includes('[DONE]\n\n'))
  t.pass('each event arrives before the next is sent')
})

t.test('events that come together go on together', async t => {
  const { client } = await ask(t, '/v1/responses', chunked(delta, delta, delta))
  await client.until(() => client.received.includes(delta))
  t.match(client.received, chunk(delta.repeat(3)), 'three HTTP chunks of one read are one now')
})

t.test('a silent stream ends within its limit', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.once('data', () => socket.write(chunked(delta))) })
  const { port } = await startSidecar(t, { upstream: upstream.url, times: { idleStream: 60 } })
  const client = new RawClient(t, port)
  client.write(`GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n${codex}\r\n`)
  t.match((await client.answer()).body, /"code":"upstream_timeout".*fell silent/)
})

t.test('an answer without a body is whole from its head on', async t => {
  const server = createServer((_request, response) => {
    const body = new NoBody(response, { status: 204, message: '', headers: [] })
    t.equal(body.data(), true)
    t.equal(body.fail(), 'whole', 'a failure after it changes nothing')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = new RawClient(t, (server.address() as AddressInfo).port)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal((await client.answer()).status, 204)
  t.equal(client.ended, false)
})

t.test('a head that can not be written ends its connection only, also behind another answer', async t => {
  for (const before of [0, 1]) {
    const responses: ServerResponse[] = []
    const server = createServer((_request, response) => {
      responses.push(response)
      if (responses.length <= before) return
      relay(response, { status: 200, message: '', headers: ['no token', ''] }, { path: '/v1/models', heartbeat: undefined, overhear: () => {} })
      setImmediate(() => { if (before > 0) responses[0]?.end('first') })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const client = new RawClient(t, (server.address() as AddressInfo).port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(before + 1))
    await client.closed()
    t.match(client.received, before === 0 ? /^$/ : /^HTTP\/1\.1 200 OK\r\n[^]*first$/)
  }
})

t.test('Claude Code is told that a stream ended in its middle, and asks without one; a lost connection stays one', async t => {
  const claude = 'User-Agent: claude-cli/2.1.332 (external, sdk-cli)\r\n'
  const told = await ask(t, '/v1/messages', chunked(messageDelta) + last, 'stay', claude)
  const { body } = await told.client.answer()
  t.match(body.slice(messageDelta.length), /^event: error\ndata: \{"type":"error","error":\{/)
  const cut = await ask(t, '/v1/messages', chunked(messageDelta), 'rst', claude)
  await t.rejects(cut.client.answer(), /cut within a chunked body/)
})
