import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { openFaultUpstream } from './fixtures/fault-upstream.ts'
import { cells, kinds, play, routesFor, type Cell } from './fixtures/matrix.ts'
import { Random } from './fixtures/random.ts'
import { RawClient } from './fixtures/raw-client.ts'
import { startSidecar } from './fixtures/sidecar.ts'
import { bearer } from './fixtures/token.ts'

/** Cells at once: of uploads, whose bytes take the CPU, and of all others. */
const AT_ONCE = { uploads: 3, others: 24 }

/** Numbers that must come one after the other, and the longest time between two of them. */
class Sequence {
  #next = 0
  #last = 0
  /** ms */
  longest = 0
  readonly wrong: string[] = []
  get count (): number { return this.#next }

  take (text: string): void {
    const now = performance.now()
    if (this.#last > 0) this.longest = Math.max(this.longest, now - this.#last)
    this.#last = now
    if (text !== String(this.#next)) this.wrong.push(`${text} instead of ${this.#next}`)
    this.#next = Number(text) + 1
  }
}

/** An event stream and a WebSocket session that live beside the cells. */
async function live (t: Test, port: number) {
  const stream = new Sequence()
  const session = new Sequence()
  const client = new RawClient(t, port)
  client.write('POST /v1/live/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer live\r\nAccept: text/event-stream\r\nContent-Length: 2\r\n\r\n{}')
  let rest = ''
  client.socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('data: ')) stream.take(line.slice(6))
  })
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/live/responses`, { headers: bearer('live') })
  t.teardown(() => { socket.terminate() })
  socket.on('message', data => { session.take((data as Buffer).toString()) })
  socket.on('error', () => {})
  await Promise.all([once(socket, 'message'), client.until(() => stream.count > 0)])
  return { stream, session, client, socket }
}

async function run (t: Test, chosen: readonly Cell[]): Promise<void> {
  const upstream = await openFaultUpstream()
  t.teardown(upstream.close)
  const { port, lines } = await startSidecar(t, {
    upstream: upstream.origins.plain,
    logLevel: 'info',
    config: { routes: routesFor(upstream), ca: upstream.ca },
    times: { connect: 800, headers: 800, streamHeaders: 800, handshake: 800, errorBody: 300, idleStream: 1000 }
  })
  const beside = await live(t, port)
  const started = performance.now()
  const wrong: string[] = []
  const work = async (queue: Cell[], atOnce: number): Promise<void> => {
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
        const seen = await play(t, port, cell)
        if (seen !== cell.expected) wrong.push(`${cell.behaviour.name}, ${cell.kind}, ${cell.client}: ${seen} instead of ${cell.expected}`)
      }
    }))
  }
  await work(chosen.filter(({ kind }) => kind !== 'upload'), AT_ONCE.others)
  await work(chosen.filter(({ kind }) => kind === 'upload'), AT_ONCE.uploads)
  t.strictSame(wrong, [], `${chosen.length} cells are as written`)
  t.comment(`${chosen.length} cells in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  for (const [name, sequence] of [['event stream', beside.stream], ['WebSocket', beside.session]] as const) {
    t.strictSame(sequence.wrong, [], `the live ${name} loses nothing`)
    t.comment(`live ${name}: ${sequence.count} events, longest gap ${sequence.longest.toFixed(0)} ms (all in one process)`)
  }
  t.equal(beside.client.ended, false, 'the live event stream stays open')
  t.equal(beside.socket.readyState, WebSocket.OPEN, 'the live WebSocket stays open')
  t.strictSame(lines.filter(({ code }) => code === 'internal_error'), [], 'nothing fails in ourselves')
}

t.setTimeout(300_000)

t.test('whatever the upstream does to whatever request, the client sees what is written', async t => {
  const random = new Random()
  const size = Number(process.env['MATRIX_CELLS'] ?? cells.length)
  if (size < cells.length) t.comment(`a sample of ${size} of ${cells.length} cells, SEED=${random.seed}`)
  await run(t, size < cells.length ? random.sample(cells, size) : cells)
})

t.test('the matrix is whole', async t => {
  const names = new Set(cells.map(({ behaviour }) => behaviour.name))
  t.equal(names.size * (kinds.length * 2 - 1), cells.length)
})
