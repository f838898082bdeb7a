import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { bearer } from '../fixtures/token.ts'
import { deadKey, json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'
import { GOOD } from './provider.ts'
import { build, startSidecarProcess, type Memory, type SidecarProcess } from './sidecar-process.ts'
import { Table } from './table.ts'

// WebSockets in numbers, against the built program in a process of its own.

t.setTimeout(300_000)

let main = ''
t.before(async () => { main = await build() })

const socketUrl = (url: string): string => `${url.replace('http', 'ws')}/v1/responses`
const MB = 1 << 20

/** Waits until a number is down to the one expected, 5 s at most. */
async function settled (read: () => Promise<number>, expected: number): Promise<number> {
  const end = performance.now() + 5_000
  for (;;) {
    const value = await read()
    if (value <= expected || performance.now() > end) return value
    await sleep(50)
  }
}

/** Waits until a number has not changed for half a second. */
async function still (read: () => number): Promise<number> {
  let last = read()
  for (let same = 0; same < 10;) {
    await sleep(50)
    const now = read()
    same = now === last ? same + 1 : 0
    last = now
  }
  return last
}

t.test('4,000 connect and close cycles leave handles and memory flat', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, { data: [] }) })
  new WebSocketServer({ server: upstream.server }).on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      const order = data.toString()
      if (order === 'close') socket.close(1000)
      else if (order === 'vanish') socket.terminate()
      else socket.send(order)
    })
  })
  const sidecar = await startSidecarProcess(t, main, upstream.url)

  /** Every way in which a session ends: by the client or by the upstream, in order or not. */
  const endings: ((socket: WebSocket) => void)[] = [
    socket => { socket.close(1000) },
    socket => { socket.terminate() },
    socket => { socket.send('close') },
    socket => { socket.send('vanish') }
  ]
  let cycles = 0
  async function cycle (): Promise<void> {
    const end = endings[cycles++ % endings.length] as (socket: WebSocket) => void
    const socket = new WebSocket(socketUrl(sidecar.url), { headers: bearer(GOOD) })
    const closed = once(socket, 'close')
    socket.on('open', () => { socket.send('hello') })
    socket.once('message', () => { end(socket) })
    await closed
  }

  const table = new Table('cycles', 'fds', 'in use MB', 'RSS MB', 'CPU ms a cycle')
  const note = (fds: number, { heap, rss }: Memory, perCycle = ''): void => { table.add(cycles, fds, heap.toFixed(1), rss.toFixed(0), perCycle) }
  t.teardown(() => { table.print(t) })
  const base = await sidecar.fds()
  note(base, await sidecar.memory())
  const marks: (Memory & { fds: number })[] = []
  for (const target of [1000, 2000, 3000, 4000]) {
    const [before, cpu] = [cycles, await sidecar.cpu()]
    await Promise.all(Array.from({ length: 16 }, async () => { while (cycles < target) await cycle() }))
    const perCycle = (await sidecar.cpu() - cpu) / (cycles - before)
    const fds = await settled(sidecar.fds, base)
    const memory = await sidecar.memory()
    marks.push({ fds, ...memory })
    note(fds, memory, perCycle.toFixed(2))
  }
  t.ok(sidecar.alive)
  t.strictSame(marks.map(({ fds }) => fds), marks.map(() => base), 'all sockets are gone')
  const [warm, end] = [marks[0], marks.at(-1)] as [Memory, Memory]
  t.ok(end.heap - warm.heap < 1, 'after the first 1,000 nothing more is kept')
  t.ok(end.rss - warm.rss < 10, 'nor does the process grow')
})

/** Numbers as they arrive. */
class Arrivals {
  count = 0
  inOrder = true
  #longestGap = 0
  #last = performance.now()

  take (number: number): void {
    const now = performance.now()
    this.inOrder &&= number === this.count
    this.count++
    this.#longestGap = Math.max(this.#longestGap, now - this.#last)
    this.#last = now
  }

  /** The longest time between two arrivals since this was last asked, ms. */
  longestGap (): string {
    const gap = this.#longestGap
    this.#longestGap = 0
    return gap.toFixed(0)
  }
}

/** What bad-upgrades.ts reports. */
interface Storm { sent: number, seconds: number, slowest: { answer: number, end: number }, outcomes: Record<string, number> }

t.test('an event stream and a WebSocket with a good token beside 1,000 bad upgrades a second for 10 s', async t => {
  const isGood = ({ headers }: IncomingMessage): boolean => headers.authorization === `Bearer ${GOOD}`
  let over = false
  const sent = { events: 0, messages: 0 }
  /** Bad tokens that got through: in questions about them, and in handshakes. */
  const refused = { asked: 0, upgrades: 0 }
  /** Sends every 10 ms until it is over. */
  const everyMoment = (send: () => void, end: () => void): NodeJS.Timeout => {
    const timer = setInterval(() => {
      if (!over) return send()
      clearInterval(timer)
      end()
    }, 10)
    return timer
  }
  const upstream = await startUpstream(t, (request, response) => {
    if (!isGood(request)) {
      refused.asked++
      return json(response, 401, deadKey)
    }
    if (request.url?.endsWith('/models') === true) return json(response, 200, { data: [] })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const timer = everyMoment(() => response.write(`data: ${sent.events++}\n\n`), () => response.end('event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'))
    response.on('close', () => { clearInterval(timer) })
  })
  const sockets = new WebSocketServer({ noServer: true })
  const refusal = JSON.stringify(deadKey)
  upstream.server.on('upgrade', (request: IncomingMessage, connection: Socket, head: Buffer) => {
    if (!isGood(request)) {
      refused.upgrades++
      connection.end(`HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: ${refusal.length}\r\nConnection: close\r\n\r\n${refusal}`)
      return
    }
    sockets.handleUpgrade(request, connection, head, socket => {
      const timer = everyMoment(() => { socket.send(String(sent.messages++)) }, () => { socket.close(1000) })
      socket.on('close', () => { clearInterval(timer) })
    })
  })
  const sidecar = await startSidecarProcess(t, main, upstream.url)

  const events = new Arrivals()
  let last = ''
  const { body } = await request(`${sidecar.url}/v1/responses`, { headers: { ...bearer(GOOD), accept: 'text/event-stream' }, bodyTimeout: 0 })
  let rest = ''
  body.on('data', (chunk: Buffer) => {
    rest += chunk.toString()
    const whole = rest.split('\n\n')
    rest = whole.pop() ?? ''
    for (last of whole) {
      const number = /^data: (\d+)$/.exec(last)?.[1]
      if (number !== undefined) events.take(Number(number))
    }
  })
  const streamEnd = once(body, 'end')
  const messages = new Arrivals()
  const socket = new WebSocket(socketUrl(sidecar.url), { headers: bearer(GOOD) })
  socket.on('message', (data: Buffer) => { messages.take(Number(data.toString())) })
  const socketEnd = once(socket, 'close') as Promise<[number]>
  await once(socket, 'message')

  await sleep(2_000)
  const before = [events.longestGap(), messages.longestGap()]
  const cpu = await sidecar.cpu()
  const storm = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, 'bad-upgrades.ts'), String(sidecar.port), '1000', '10'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => storm.kill())
  let report = ''
  storm.stdout.on('data', (chunk: Buffer) => { report += chunk.toString() })
  await once(storm, 'close')
  const used = await sidecar.cpu() - cpu
  const beside = [events.longestGap(), messages.longestGap()]
  t.equal(socket.readyState, WebSocket.OPEN, 'the WebSocket is still open')
  t.notOk(body.readableEnded, 'so is the event stream')
  over = true
  await streamEnd
  const [code] = await socketEnd

  const { sent: bad, seconds, slowest, outcomes } = JSON.parse(report) as Storm
  const table = new Table('', 'sent', 'received', 'longest gap before, ms', 'longest gap beside the storm, ms')
  table.add('events', sent.events, events.count, ...[before[0], beside[0]].map(String))
  table.add('messages', sent.messages, messages.count, ...[before[1], beside[1]].map(String))
  table.print(t)
  t.comment(`${bad} bad upgrades, ${Math.round(bad / seconds)} a second: ${JSON.stringify(outcomes)}, the upstream saw ${refused.upgrades} of them and was asked about ${refused.asked} tokens; the slowest answer after ${slowest.answer.toFixed(0)} ms; ${(used / bad).toFixed(2)} ms CPU each`)

  t.ok(sidecar.alive)
  t.same({ count: events.count, inOrder: events.inOrder }, { count: sent.events, inOrder: true }, 'all events arrived')
  t.same({ count: messages.count, inOrder: messages.inOrder }, { count: sent.messages, inOrder: true }, 'all messages arrived')
  t.match(last, /response\.completed/, 'the event stream ended by itself, whole')
  t.equal(code, 1000, 'so did the WebSocket')
  t.equal(bad, 10_000)
  t.ok(Object.keys(outcomes).every(outcome => ['401', '503', 'ECONNRESET'].includes(outcome)), 'a bad upgrade is refused; a machine that is too busy to take its connection resets it')
})

/** A handshake's answer, for an upstream of bare bytes. */
function switching (head: Buffer): string {
  const key = /sec-websocket-key: (\S+)/i.exec(head.toString('latin1'))?.[1] ?? ''
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

/** The most memory that the process takes until the promise settles, MB. */
async function mostUntil (sidecar: SidecarProcess, settles: Promise<unknown>): Promise<number> {
  const over = new AbortController()
  void settles.finally(() => { over.abort() })
  let most = 0
  while (!over.signal.aborted) {
    most = Math.max(most, await sidecar.rss())
    await sleep(20)
  }
  return most
}

t.test('a paused client under a flood of 300 MB', async t => {
  const frame = Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]), Buffer.alloc(MB)])
  let sent = 0
  let sessions = 0
  const upstream = await startRawUpstream(t, socket => {
    const fill = (): void => {
      while (sent < 300) {
        sent++
        if (!socket.write(frame)) return
      }
      socket.end(Buffer.from([0x88, 2, 3, 0xe8]))
    }
    socket.once('data', (head: Buffer) => {
      if (head.includes('/models')) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      socket.resume()
      socket.write(switching(head))
      if (sessions++ === 0) return
      socket.on('drain', fill)
      fill()
    })
  })
  const sidecar = await startSidecarProcess(t, main, upstream.url)
  /** A session whose client reads nothing until it is told to. */
  const visit = async (): Promise<Socket> => {
    const socket = connect(sidecar.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.write(`GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${GOOD}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
    await once(socket, 'readable')
    return socket
  }
  const table = new Table('', 'sent by the upstream MB', 'in use MB', 'RSS MB', 'RSS MB at most, garbage included')
  t.teardown(() => { table.print(t) })
  const note = (what: string, { heap, rss }: Memory, most: number): void => { table.add(what, sent, heap.toFixed(1), rss.toFixed(0), most.toFixed(0)) }

  await visit() // what the first session of all costs is not the flood's
  const mostBefore = await sidecar.rss()
  const before = await sidecar.memory()
  note('a session, idle', before, mostBefore)

  const client = await visit()
  const stopped = still(() => sent)
  const mostPaused = await mostUntil(sidecar, stopped)
  const taken = await stopped
  const paused = await sidecar.memory()
  note('another, its client paused', paused, mostPaused)

  let received = 0
  client.on('data', (chunk: Buffer) => { received += chunk.length })
  const ended = once(client, 'end')
  const mostFlowing = await mostUntil(sidecar, ended)
  note('its client reads on', await sidecar.memory(), mostFlowing)

  t.ok(taken < 60, 'the upstream is stopped')
  t.ok(paused.rss - before.rss < 30, `memory grows by ${(paused.rss - before.rss).toFixed(1)} MB`)
  t.ok(mostPaused - mostBefore < 60, 'and no more in between than one collection of garbage')
  t.ok(received > 300 * MB, 'once the client reads on, all of it arrives')
})
