import { createGzip } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstHalf } from '../../fixtures/streams.ts'
import { json } from '../../fixtures/upstream.ts'
import type { Asked, Fault } from './faults.ts'

/** Milliseconds in which what was sent reaches the client before its connection is reset. */
const ARRIVES = 200

type Events = (asked: Asked) => readonly string[]

const whole: Events = ({ turn }) => turn.events
const half: Events = ({ turn }) => firstHalf(turn)
/** The Responses API's stream as some upstreams end it, with a terminal event of another name; other protocols as ever. */
const done: Events = ({ turn, protocol }) => protocol === 'responses' ? turn.events.map(event => event.replaceAll('response.completed', 'response.done')) : turn.events

const end = ({ response }: Asked): void => void response.end()
const cut = ({ request }: Asked): void => void request.socket.resetAndDestroy()

/** A stream as it is, without its Content-Type or with another head. */
const plain = (head: Readonly<Record<string, string>>, events: Events, finish: Fault): Fault => async asked => {
  const { response, turn, stream } = asked
  if (!stream) return json(response, 200, turn.body)
  response.writeHead(200, head)
  for (const event of events(asked)) response.write(event)
  await sleep(ARRIVES)
  await finish(asked)
}

/** A stream in gzip, each event flushed, for those who take it; an orderly half has no end in gzip's own framing. */
const gzipped = (events: Events, finish?: Fault): Fault => async asked => {
  const { request, response, turn, stream } = asked
  if (!stream) return json(response, 200, turn.body)
  if (!String(request.headers['accept-encoding']).includes('gzip')) return await plain({ 'content-type': 'text/event-stream' }, events, finish ?? end)(asked)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
  const gzip = createGzip()
  gzip.on('data', (bytes: Buffer) => response.write(bytes))
  for (const event of events(asked)) {
    gzip.write(event)
    await new Promise<void>(resolve => { gzip.flush(() => { resolve() }) })
  }
  if (finish === undefined) {
    gzip.on('end', () => response.end()).end()
    return
  }
  await sleep(ARRIVES)
  await finish(asked)
  gzip.destroy()
}

const nameless = { 'cache-control': 'no-store' }

/** Streams as real upstreams send them (field.md, part B): what is good stays good, what is broken is seen. */
export const bodies: Readonly<Record<'for good' | 'both times', Readonly<Record<string, Fault>>>> = {
  'for good': {
    'no Content-Type': plain(nameless, whole, end),
    gzip: gzipped(whole),
    '`response.done` at the end': plain({ 'content-type': 'text/event-stream' }, done, end)
  },
  'both times': {
    'no Content-Type, cut': plain(nameless, half, cut),
    'no Content-Type, orderly half': plain(nameless, half, end),
    'gzip, cut': gzipped(half, cut),
    'gzip, orderly half': gzipped(half, end)
  }
}
