import type { ErrorResponse } from '@anthropic-ai/sdk/resources/shared'
import type { ResponseErrorEvent, ResponseFailedEvent } from 'openai/resources/responses/responses'
import t from 'tap'
import { HeldEvents } from '../../src/forward/event-streams/held-events.ts'
import { EventStream } from '../../src/wire/event-stream/event-stream.ts'
import { failureEvent, signOfLife } from '../../src/wire/event-stream/failure-events.ts'
import { lastEventIn } from '../../src/wire/event-stream/last-event.ts'
import { protocolOf, protocols, type StreamProtocol } from '../../src/wire/event-stream/protocols.ts'
import { Sniffer } from '../../src/wire/event-stream/sniffer.ts'
import { chatTurn, messagesTurn } from '../fixtures/streams.ts'

/** A stream that has taken in this text, in pieces of so many bytes. */
function streamOf (protocol: StreamProtocol, text: string, size = Infinity): EventStream {
  const stream = new EventStream(protocol)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + Math.min(size, bytes.length)))
  return stream
}

const created = (response: object): string => `event: response.created\ndata: ${JSON.stringify({ type: 'response.created', sequence_number: 7, response })}\n\n`

t.test('boundaries are found in every form and every split', async t => {
  for (const blank of ['\n\n', '\r\n\r\n', '\r\r', '\n\r\n']) {
    for (const mark of ['', '\ufeff']) {
      const bytes = Buffer.from(`${mark}data: 1${blank}data: 2${blank}data: 3`)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const stream = new EventStream('chat')
        const held = new HeldEvents()
        const out = [bytes.subarray(0, cut), bytes.subarray(cut)].map(piece => {
          const within = !stream.onBoundary && !held.any
          return held.push(piece, stream.push(piece), within)
        })
        const whole = bytes.length - 'data: 3'.length
        if (!Buffer.concat(out).equals(bytes.subarray(0, whole))) t.fail(`${JSON.stringify(bytes.toString())} cut at ${cut}`)
        t.equal(held.rest().toString(), 'data: 3')
      }
    }
  }
})

t.test('a comment is no event, so that it is not held back until one comes', async t => {
  const stream = new EventStream('chat')
  t.equal(stream.push(Buffer.from(': hi\n')), 5)
  t.equal(stream.push(Buffer.from('id: 1\n')), -1)
  t.equal(stream.push(Buffer.from(': hi\n')), -1, 'within an event it is part of that')
  t.equal(stream.push(Buffer.from('\n')), 1)
})

/** An event of each protocol, by which a stream is known to speak it. */
const begun = { responses: created({}), chat: 'data: {"choices":[]}\n\n', messages: 'event: message_start\ndata: {}\n\n' }

t.test('only the first level of an event says what it is (E7)', async t => {
  const decoys = [
    '{"type":"response.created","metadata":{"type":"response.completed"}}',
    '{"response":{"type":"response.completed","metadata":{"error":1}},"type":"x"}',
    '{"a":["type","response.completed",{"type":"error"}],"type":"x"}',
    String.raw`{"a":"\"type\":\"response.completed\"","type":"x"}`,
    String.raw`{"a":"\\","type":"x"}`,
    '{"a":"x\\ndata: [DONE]","type":"x"}',
    '{"choices":[{"message":{"finish_reason":"stop"}}],"error":null}',
    '{"type":"response.output_text.delta","error":"","delta":"[DONE]"}',
    '{"type":"response.output_text.delta","error":false}',
    '{"type":"response.output_text.delta","choices":{"finish_reason":"stop"},"response":[{"id":"no"}]}',
    '["response.completed"]', '"response.completed"', '[DONE', 'response.completed', '{"type":["response.completed"]}',
    `{"type":"response.completed${'x'.repeat(300)}"}`, `{"sequence_number":${'1'.repeat(300)}}`
  ]
  for (const text of decoys) {
    for (const size of [Infinity, 1, 7]) {
      for (const protocol of ['responses', 'chat', 'messages'] as const) {
        const stream = streamOf(protocol, `${begun[protocol]}data: ${text}\n\n`, size)
        stream.finish()
        if (stream.mayEnd) t.fail(`${protocol}, ${text}, in pieces of ${size}`)
      }
    }
  }
  t.equal(streamOf('responses', 'event-name: response.completed\nevent\ndatas: {"type":"response.completed"}\n\n').terminated, false, 'other fields are other fields')
  t.equal(streamOf('responses', 'event: response.completed\n\n').terminated, false, 'an event without data is none')
})

t.test('it is found wherever it stands (E8)', async t => {
  const ends = ['  {"type":"response.done"}', '{"type":  "response.completed"}', '{\n"a":[[[{"b":[1]}]]],"type"\t:"response.failed"}', `{"a":"${'x'.repeat(1_200_000)}","type":"response.incomplete"}`, '{"error":{"message":"no"}}', '{"error":true}', '{"error":"no"}']
  for (const text of ends) {
    for (const size of [Infinity, 65_536, ...text.length < 100 ? [1] : []]) {
      const lines = text.split('\n').map(line => `data:${line}\r\n`).join('')
      t.equal(streamOf('responses', `\ufeffevent: a\r\nevent: b\r\n${lines}\r\n`, size).terminated, true, `${text.slice(0, 40)}, in pieces of ${size}`)
    }
  }
  t.equal(streamOf('messages', '\xefdata: {}\n\nevent: message_stop\ndata: {}\n\n').terminated, true, 'what is no byte order mark is the name of a field')
})

t.test('a last event that is not whole ends nothing (F3)', async t => {
  for (const [text, mayEnd] of [['event: response.completed\ndata: {"a":1', false], ['data: {"type":"response.completed","a":{}', false], ['data: {"type":"response.completed"}', true], ['data: {"type":"response.completed"}\n', true]] as const) {
    const stream = streamOf('responses', created({}) + text)
    t.equal(stream.terminated, false, 'a reset is one')
    stream.finish()
    t.equal(stream.mayEnd, mayEnd, text)
  }
})

t.test('an event that does not end costs as much a byte as one that does (E10)', async t => {
  const cost = (before: number): number => {
    const stream = new EventStream('responses')
    const held = new HeldEvents()
    const take = (piece: Buffer): void => {
      const within = !stream.onBoundary && !held.any
      held.push(piece, stream.push(piece), within)
    }
    take(Buffer.from(`data: {"a":"${'x'.repeat(before)}`))
    const byte = Buffer.from('x')
    const { user } = process.cpuUsage()
    for (let n = 0; n < 20_000; n++) take(byte)
    return process.cpuUsage().user - user
  }
  cost(1)
  const short = cost(1)
  const long = cost(1_000_000)
  t.ok(long < 20 * short + 100_000, `20,000 bytes took ${long} µs behind 1 MB and ${short} µs behind nothing; all of it looked at again for each would take minutes`)
})

t.test('what is held back has a bound', async t => {
  const held = new HeldEvents()
  const piece = Buffer.alloc(300_000)
  let passed = 0
  for (let n = 0; n < 4; n++) passed += held.push(piece, -1, false).length
  t.equal(passed, 1_200_000)
  t.equal(held.any, false)
  t.equal(held.push(piece, -1, true).length, piece.length, 'behind it the rest of the event goes on as it comes')
})

t.test('protocols are known by their paths', async t => {
  const paths: [StreamProtocol, ...string[]][] = [
    ['responses', '/v1/responses', '/backend-api/codex/responses/', '/v1/responses/compact'], ['chat', '/v1/chat/completions', '/v1/completions'],
    ['messages', '/v1/messages/'], ['images', '/v1/images/generations', '/v1/images/edits'], ['transcription', '/v1/audio/transcriptions'], ['speech', '/v1/audio/speech'],
    ['other', '/v1/messages/batches', '/v1/models', '/backend-api/wham/apps', '/v1/responses/resp_1/input_items']
  ]
  for (const [protocol, ...all] of paths) for (const path of all) t.equal(protocolOf('POST', path), protocol, path)
  t.equal(protocolOf('GET', '/v1/responses/resp_1'), 'resumed')
  t.ok(Object.values(protocols).every(({ source }) => source.length > 10), 'each says where it is from')
})

t.test('and by their first events', async t => {
  const firsts: [StreamProtocol, string][] = [
    ['responses', created({})], ['messages', messagesTurn('a').events[0] as string], ['chat', chatTurn('a').events[0] as string],
    ['chat', 'data: {"object":"text_completion"}\n\n'], ['other', 'data: 1\n\n'], ['other', 'data: {"jsonrpc":"2.0"}\n\n']
  ]
  for (const [protocol, event] of firsts) t.equal(streamOf('other', event).protocol, protocol, event)
  const mcp = streamOf('messages', 'event: message\ndata: {"jsonrpc":"2.0","id":1}\n\n')
  t.match(mcp, { protocol: 'other', foreign: true, mayEnd: true })
  t.equal(streamOf('other', 'data: {"type":"x","a":1}\n\n'.repeat(6)).foreign, true)
  t.equal(streamOf('other', '').foreign, false, 'as long as there is none, it is open')
})

t.test('a stream is a protocol’s only if its path and its events say so', async t => {
  const strangers: [StreamProtocol, string][] = [
    ['messages', 'event: endpoint\ndata: /messages?sessionId=1\n\n'], ['responses', 'event: row\ndata: {"n":1}\n\n'],
    ['chat', 'data: {"completion":"a"}\n\ndata: {"completion":"b","stop":true}\n\n'], ['chat', 'data: {"content":"","stop":true}\n\n'],
    ['transcription', 'data: {"text":"a"}\n\n'], ['speech', 'data: {"audio":"a"}'], ['images', 'event: progress\ndata: {"type":"progress"}\n\n'], ['runs', 'event: log\ndata: {}\n\n'],
    ['responses', 'data: {"choices":[]}\n\n']
  ]
  for (const [protocol, text] of strangers) {
    for (const size of [Infinity, 1]) {
      const stream = streamOf(protocol, text, size)
      stream.finish()
      t.match(stream, { protocol: 'other', terminated: false, mayEnd: true }, text)
    }
    t.equal(streamOf(protocol, text.repeat(9)).foreign, !text.endsWith('}'), 'nothing more is expected of it then')
  }
  for (const protocol of Object.keys(protocols) as StreamProtocol[]) {
    const mayEnd = protocols[protocol as keyof typeof protocols].endsAnywhere === true
    for (const text of [': hi\n\n', 'event: ping\ndata: {}\n\n'.repeat(6), 'data: 1\n\n'.repeat(6)]) {
      t.match(streamOf(protocol, text), { protocol, foreign: false, mayEnd }, 'signs of life and nameless texts are of no protocol')
    }
    const half = streamOf(protocol, 'data: {"a":')
    half.finish()
    t.equal(half.mayEnd, protocol === 'resumed', 'half an event is the end of none')
  }
  t.match(streamOf('responses', `data: {}\n\n${created({})}`), { protocol: 'responses', mayEnd: false }, 'it is known late, but known')
  t.match(streamOf('chat', 'data: [DONE]\n\n'), { protocol: 'chat', terminated: true })
  for (const text of ['event: error\ndata: {}\n\n', 'data: {"error":{"message":"no"}}\n\n']) t.match(streamOf('messages', text), { protocol: 'messages', terminated: true, failed: true })
})

t.test('only an error of the stream’s own ends it', async t => {
  const failed = (type: string): string => `event: ${type}\ndata: {"type":"${type}","sequence_number":8,"error":{"message":"the tool failed"}}\n\n`
  for (const text of [failed('response.mcp_call.failed'), failed('response.output_item.done'), 'event: response.mcp_call.failed\ndata: {"error":{}}\n\n']) {
    t.match(streamOf('responses', created({}) + text), { terminated: false, failed: false, mayEnd: false }, text)
  }
  for (const text of [failed('error'), 'event: error\ndata: {"type":"overloaded_error"}\n\n', 'data: {"error":{}}\n\n', 'event: x\ndata: {"error":{}}\n\n']) {
    t.match(streamOf('responses', created({}) + text), { terminated: true, failed: true }, text)
  }
})

t.test('what is behind the first events is not all read, but for what matters', async t => {
  const text = [...Array(6).keys()].map(n => `data: {"type":"response.output_text.delta","sequence_number":${n},"a":"${'x'.repeat(10)}"}\n\n`).join('')
  t.equal(streamOf('responses', text).known.sequence, 5)
  for (const size of [10, 600]) {
    const stream = streamOf('responses', text)
    for (let n = 6; n < 9; n++) t.equal(stream.push(Buffer.from(`data: {"type":"response.output_text.delta","sequence_number":${n},"a":"${'x'.repeat(size)}"}\n\n`)) > size, true)
    t.equal(stream.known.sequence, 8, 'also of what comes event by event')
    stream.push(Buffer.from('\n\n'))
    t.equal(stream.known.sequence, 8)
  }
  for (const blank of ['\n\n', '\r\n\r\n']) {
    const stream = streamOf('responses', text)
    for (const piece of [`data: {"type":"response.output_text.delta","sequence_number":6}${blank}`, `: alive${blank}`, `event: ping${blank}`, `data: {"type":"ping"}${blank}`]) stream.push(Buffer.from(piece))
    t.equal(stream.known.sequence, 6, 'what has no number takes none away')
  }
  const queued = 'event: keepalive\ndata: {"type":"keepalive"}\n\n'.repeat(9)
  t.match(streamOf('responses', queued + created({ id: 'resp_1' }) + text).known, { id: 'resp_1', sequence: 5 }, 'many signs of life before it')
  const comment = `: ${'x'.repeat(3_000)}\n\n`
  t.equal(streamOf('responses', text + comment).known.sequence, 5)
  for (const size of [1_000, 3_000]) {
    const large = (n: number): string => `data: {"type":"response.output_text.delta","sequence_number":${n},"a":"${'x'.repeat(size)}"}\n\n`
    const stream = streamOf('responses', `${text}${large(6)}${large(7)}: alive\n\n${comment}`)
    t.equal(stream.known.sequence, 7, 'the last of many that has one')
    stream.push(Buffer.from(large(8) + comment))
    t.equal(stream.known.sequence, 8)
    stream.push(Buffer.from(comment))
    t.equal(stream.known.sequence, 8)
  }
  t.equal(streamOf('responses', `${text}data: {"a":1,"sequence_number":9,"type":"response.completed"}\n\n`).terminated, true)
  t.equal(streamOf('responses', `${text}data: {"type":"response.completed","sequence_number":9}`).known.sequence, 5, 'an event that is not whole has no number')
  const unnumbered = 'data: {"type":"response.output_text.delta","delta":"x"}\n\n'.repeat(6)
  t.match(streamOf('responses', unnumbered), { terminated: false, known: { sequence: undefined } })
})

t.test('of many events in one piece each is read in which anything could matter', async t => {
  const delta = 'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
  const many = delta.repeat(8)
  const second = delta.replace('"index":0', '"index":1')
  const end = delta.replace('null', '"stop"')
  for (const [text, mayEnd] of [[end, true], [second + end, false], [second + end + end.replace('"index":0', '"index" : 1'), true], ['data: [DONE]\n\n', true], ['data: {"error":{}}\n\n', true], ['event:error\ndata: {}\n\n', true], ['', false]] as const) {
    const stream = streamOf('chat', many)
    t.equal(stream.push(Buffer.from(many + text + many)), Buffer.byteLength(many + text + many))
    t.equal(stream.mayEnd, mayEnd, text)
  }
  const stream = streamOf('messages', 'event: content_block_delta\ndata: {}\n\n'.repeat(6))
  t.equal(stream.push(Buffer.from('data: 1\n\ndata: 2\n\ndata: 3')), 18, 'the boundary behind them is known')
  t.equal(stream.push(Buffer.from('\n\ndata: 4')), 2)
  t.equal(stream.push(Buffer.from('\n\n\n')), 3)
  t.equal(stream.push(Buffer.from('\n\n')), 2)
})

t.test('the choices that are told apart have a bound', async t => {
  const text = [...Array(1_100).keys()].map(index => `data: {"choices":[{"index":${index},"finish_reason":"stop"}]}\n\n`).join('')
  t.equal(streamOf('chat', text).mayEnd, true)
})

t.test('the first lines tell an event stream from all else', async t => {
  const is = (text: string, size: number, declared = false): boolean | undefined => {
    const sniffer = new Sniffer(declared)
    let decision: boolean | undefined
    for (let at = 0; at < text.length && decision === undefined; at += size) decision = sniffer.push(Buffer.from(text.slice(at, at + size), 'latin1'))
    return decision
  }
  const streams = [
    'event: response.created\ndata: {', 'data:{"a"', 'data: {\ndata: "a":1}', 'data: [DONE]\n', 'data: 1\n', 'data:\n', 'data: {}\r\r', 'id: 1\n\n', 'retry: 10\r\n\r\n', ': OPENROUTER PROCESSING\n\n',
    `:${' '.repeat(2_048)}\n\n`, ': caf\xc3\xa9\nevent: a\n: b\ndata: [1]\n', '\xef\xbb\xbfdata: {', '\xef\xbb\xbf: a\n\n', '\r\n\ndata: {', ': a\r\r', 'event: a\n\n'
  ]
  const others = [
    '{"data":1}', '<html>', 'dated', '[1]', 'ID3\x04', '\xefx', '\xff\xfb', 'data: the new oil. And more of it.\n', 'data: the new oil\n', 'data: [laughter]\n', 'event: Party at nine\n', 'id: one two\n', 'retry: soon\n',
    ':\x00\x01\x02', ': a\nb', ':) hello\nworld', ': a\rb', `:${'x'.repeat(5_000)}`, 'event: a\x01'
  ]
  const open = ['', 'even', '\xef\xbb', '\n', '\n'.repeat(40), 'event: a\n', 'data:', 'data: 1', ':)', ':) hello', ': a\r', 'id: 1\n', 'data: the new oil.']
  for (const size of [1, 2, 7, 10_000]) {
    for (const text of streams) t.equal(is(text, size), true, JSON.stringify(text).slice(0, 60))
    for (const text of others) t.equal(is(text, size), false, JSON.stringify(text).slice(0, 60))
    for (const text of open) t.equal(is(text, size), undefined, JSON.stringify(text))
    for (const text of ['data: a', 'event: Party at', ':', 'id:', 'retry:', '\ndata:']) t.equal(is(text, size, true), true, 'where its head says so, its first field will do')
    for (const text of ['{', 'dated', 'a\n']) t.equal(is(text, size, true), false)
  }
  t.equal(is('data: a\nb', 100, true), true)
  t.equal(is('da\n', 100, true), false)
})

const failure = { code: 'upstream_reset', message: 'no' }
const dataOf = (text: string): unknown[] => [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as unknown)

t.test('our events go on from the stream’s own', async t => {
  const { known } = streamOf('responses', created({ id: 'resp_9', created_at: 12, model: 'm', metadata: { id: 'no' } }))
  t.match(dataOf(failureEvent('responses', failure, known)), [
    { type: 'error', sequence_number: 8, code: 'upstream_reset', error: { message: 'no' } },
    { type: 'response.failed', sequence_number: 9, response: { id: 'resp_9', created_at: 12, model: 'm', status: 'failed', error: { message: 'no' } } }
  ])
  t.equal(signOfLife('responses', known), 'event: keepalive\ndata: {"type":"keepalive","sequence_number":7}\n\n', 'who resumes asks for what follows the last number of the upstream')
  t.equal(signOfLife('responses', streamOf('responses', '').known), ': keep-alive\n\n')
  t.equal(signOfLife('messages', known), 'event: ping\ndata: {"type":"ping"}\n\n')
  t.equal(signOfLife('chat', known), ': keep-alive\n\n')
})

t.test('our events are of the types that the SDKs give theirs', async t => {
  const { known } = streamOf('responses', created({ id: 'resp_9', created_at: 12, model: 'm' }))
  // The types are checked where the tests are compiled.
  const error: ResponseErrorEvent & { error: object } = { type: 'error', code: 'upstream_reset', message: 'no', param: null, sequence_number: 8, error: { type: 'api_error', code: 'upstream_reset', message: 'no', param: null } }
  const failed: ResponseFailedEvent = {
    type: 'response.failed', sequence_number: 9,
    response: {
      id: 'resp_9', object: 'response', created_at: 12, model: 'm', status: 'failed', error: { code: 'server_error', message: 'no' }, incomplete_details: null, output: [], output_text: '',
      instructions: null, metadata: null, parallel_tool_calls: true, temperature: null, tool_choice: 'auto', tools: [], top_p: null
    }
  }
  t.strictSame(dataOf(failureEvent('responses', failure, known)), [error, failed])
  const nothing = streamOf('responses', '').known
  const [first, second] = dataOf(failureEvent('responses', failure, nothing)) as [ResponseErrorEvent, ResponseFailedEvent]
  t.match([first.sequence_number, second.sequence_number], [0, 1])
  t.match(second.response, { id: String, created_at: Number, model: String })
  const message: ErrorResponse & { error: { code: string, param: null } } = { type: 'error', error: { type: 'api_error', code: 'upstream_reset', message: 'no', param: null }, request_id: null }
  t.strictSame(dataOf(failureEvent('messages', failure, known)), [message])
  t.strictSame(dataOf(failureEvent('images', failure, known)), [message])
  t.strictSame(dataOf(failureEvent('chat', failure, known)), [{ error: message.error }])
})

t.test('the last event of some bytes as JSON, where they hold it', async t => {
  const event = { type: 'error', error: { code: 'invalid_api_key' } }
  for (const end of ['\n\n', '\r\n\r\n', '\r\r', '']) t.strictSame(lastEventIn(Buffer.from(`data: {"a":1}${end === '' ? '\n\n' : end}event: error\ndata: ${JSON.stringify(event)}${end}`)), event, JSON.stringify(end))
  for (const text of ['data: {"type":', 'data: 1', 'data: [DONE]', ': a comment', `data: {"a":"${'x'.repeat(70_000)}"}`]) t.equal(lastEventIn(Buffer.from(text)), undefined, text.slice(0, 20))
})
