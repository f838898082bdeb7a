import { gzipSync } from 'node:zlib'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { NoBody } from '../../src/forward/plain-body.ts'
import { relay } from '../../src/forward/relay.ts'
import { EventStream, failureEvent, protocolOf } from '../../src/wire/sse.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n'
const chunk = (text: string): string => `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n`
const chunked = (...texts: string[]): string => `${head}Transfer-Encoding: chunked\r\n\r\n${texts.map(chunk).join('')}`
const last = '0\r\n\r\n'

/** What a client gets on `path` from an upstream that sends these bytes and then ends its socket in the way given. */
async function ask (t: Test, path: string, bytes: string | Buffer, end: 'stay' | 'fin' | 'rst' = 'stay') {
  let upstreamSocket: Socket | undefined
  const upstream = await startRawUpstream(t, socket => {
    upstreamSocket = socket
    socket.once('data', () => {
      socket.write(bytes, 'latin1', () => { // a string or bytes; both are taken
        if (end === 'fin') socket.end()
        // A moment for the bytes: a reset would drop what the peer has not read yet.
        if (end === 'rst') setTimeout(() => socket.resetAndDestroy(), 20)
      })
    })
  })
  const { port, line } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 2\r\n\r\n{}`)
  return { client, reset: () => upstreamSocket?.resetAndDestroy(), ending: async () => (await line(l => l['path'] === path))['ending'] }
}

const delta = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n'
const completed = 'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
const chatDelta = 'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
const messageDelta = 'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'

const broken: [name: string, path: string, bytes: string, end: 'stay' | 'fin' | 'rst', kept: string, said: RegExp][] = [
  ['responses, reset', '/v1/responses', chunked(delta, 'event: resp'), 'rst', delta, /^event: error\ndata: \{"type":"error","code":"upstream_reset".*"error":\{.*\n\nevent: response\.failed\ndata: \{"type":"response\.failed","response":\{.*"status":"failed","error":\{"code":"upstream_reset","message":"The upstream closed/],
  ['responses, an orderly end without the last event', '/backend-api/codex/responses', chunked(delta) + last, 'stay', delta, /"message":"The upstream ended the stream before it was complete/],
  ['responses, an orderly end within an event', '/v1/responses', chunked(delta, 'data: {"typ') + last, 'stay', delta, /before it was complete/],
  ['responses, nothing at all', '/v1/responses', chunked() + last, 'stay', '', /before it was complete/],
  ['responses, FIN without framing', '/v1/responses', `${head}\r\n${delta}`, 'fin', delta, /before it was complete/],
  ['responses, FIN within the framing', '/v1/responses', chunked(delta), 'fin', delta, /response\.failed/],
  ['responses, garbage in the framing', '/v1/responses', `${chunked(delta)}zz\r\n`, 'stay', delta, /"code":"upstream_protocol"/],
  ['chat, reset', '/v1/chat/completions', chunked(chatDelta), 'rst', chatDelta, /^data: \{"error":\{"type":"api_error","code":"upstream_reset"/],
  ['chat, an orderly end without [DONE]', '/v1/chat/completions', chunked(chatDelta) + last, 'stay', chatDelta, /^data: \{"error":/],
  ['messages, reset', '/v1/messages', chunked(messageDelta), 'rst', messageDelta, /^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/],
  ['messages, an orderly end without message_stop', '/v1/messages', chunked(messageDelta) + last, 'stay', messageDelta, /^event: error\n/],
  ['another stream, reset', '/v1/audio/speech', chunked('data: 1\n\n'), 'rst', 'data: 1\n\n', /response\.failed/]
]

t.test('a stream that the upstream breaks is explained on an event boundary', async t => {
  for (const [name, path, bytes, end, kept, said] of broken) {
    await t.test(name, async t => {
      const { client, ending } = await ask(t, path, bytes, end)
      const { status, body } = await client.answer()
      t.equal(status, 200)
      t.equal(body.slice(0, kept.length), kept, 'what was whole is there, byte for byte')
      t.match(body.slice(kept.length), said, 'and then the explanation')
      t.equal(await ending(), 'explained')
      t.equal(client.ended, false, 'the client’s connection lives')
    })
  }
})

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
  ['another stream', '/v1/audio/speech', chunked('data: 1\r\r', 'data') + last, 'stay', 'data: 1\r\rdata']
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
  client.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
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

t.test('a head that can not be written ends its connection only', async t => {
  const server = createServer((_request, response) => { relay(response, { status: 200, message: '', headers: ['no token', ''] }, '/v1/models') })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = new RawClient(t, (server.address() as AddressInfo).port)
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.closed()
  t.equal(client.received, '')
})

t.test('sse: boundaries in every form and every split', t => {
  for (const blank of ['\n\n', '\r\n\r\n', '\r\r', '\n\r\n']) {
    const text = `data: 1${blank}data: 2${blank}data: 3`
    for (let cut = 0; cut <= text.length; cut++) {
      const stream = new EventStream('other')
      const out = Buffer.concat([stream.push(Buffer.from(text.slice(0, cut))), stream.push(Buffer.from(text.slice(cut)))])
      t.equal(out.toString(), text.slice(0, text.lastIndexOf('data: 3')))
      t.equal(stream.onBoundary, true)
      t.equal(stream.flush().toString(), 'data: 3')
    }
  }
  t.end()
})

t.test('sse: protocols by path', t => {
  t.equal(protocolOf('/v1/responses'), 'responses')
  t.equal(protocolOf('/v1/responses/resp_1'), 'responses')
  t.equal(protocolOf('/v1/completions'), 'chat')
  t.equal(protocolOf('/v1/messages/'), 'messages')
  t.equal(protocolOf('/v1/messages/batches'), 'other')
  t.match(failureEvent('other', { code: 'a', message: 'b' }), 'response.failed')
  t.end()
})
