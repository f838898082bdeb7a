import t, { type Test } from 'tap'
import { readProxy } from '../../src/config/network/proxy.ts'
import { issued } from '../fixtures/certificate.ts'
import { openFaultUpstream } from '../fixtures/fault-upstream.ts'
import { openLive } from '../fixtures/live.ts'
import { cells, kinds, play, routesFor, type Cell } from '../fixtures/matrix.ts'
import { startHttpProxy, startSocksProxy } from '../fixtures/proxies.ts'
import { Random } from '../fixtures/random.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

/** Cells at once: of uploads, whose bytes take the CPU, and of all others. */
const AT_ONCE = { uploads: 3, others: 24 }

/** Cells in a run of all tests; `npm run matrix` plays all of them, behind a proxy with MATRIX_PROXY. */
const SAMPLE = 250

/** The proxy between the sidecar and its upstreams, and whom to trust for it: a scheme, and `+password`. */
async function proxyOf (t: Test, wanted: string | undefined) {
  if (wanted === undefined) return undefined
  const [scheme = '', password] = wanted.split('+')
  const { ca, ...certificate } = await issued('localhost') // by a CA of its own: OpenSSL takes CAs of one name for one another
  const options = {
    knows: (to: string) => to.startsWith('nobody') ? undefined : Number(to.replace(/^.*:/, '')),
    ...password === undefined ? undefined : { wants: `user:${password}` },
    ...scheme === 'https' ? { tls: certificate } : undefined
  }
  const isHttp = scheme.startsWith('http')
  const { port } = await (isHttp ? startHttpProxy : startSocksProxy)(t, options)
  return { isHttp, ca: [ca], proxy: readProxy(`${scheme}://${password === undefined ? '' : `user:${password}@`}localhost:${port}`, 'MATRIX_PROXY') }
}

async function run (t: Test, chosen: readonly Cell[]): Promise<void> {
  const behind = await proxyOf(t, process.env['MATRIX_PROXY'])
  const upstream = await openFaultUpstream({ tunnelled: behind?.isHttp === true }) // where it is no tunnel, an HTTP proxy answers for itself
  t.teardown(upstream.close)
  const { port, lines } = await startSidecar(t, {
    upstream: upstream.origins.plain,
    logLevel: 'info',
    config: { routes: routesFor(upstream), ca: [...upstream.ca, ...behind?.ca ?? []], proxies: { before: () => behind?.proxy } },
    times: { connect: 2_000, headers: 2_000, streamHeaders: 2_000, handshake: 2_000, errorBody: 500, idleStream: 2_000 }
  })
  const beside = await openLive(t, port)
  // Whether a connection that is reset at once was ever there is told by a proxy, one way or the other.
  const untold: readonly unknown[] = behind === undefined ? [] : behind.isHttp ? ['accept-rst', 'accept-fin'] : ['accept-rst']
  const queues = chosen.filter(({ behaviour }) => !untold.includes(behaviour.origin))
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
  await work(queues.filter(({ kind }) => kind !== 'upload'), AT_ONCE.others)
  await work(queues.filter(({ kind }) => kind === 'upload'), AT_ONCE.uploads)
  t.strictSame(wrong, [], `${queues.length} cells are as written`)
  t.comment(`${queues.length} cells in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  t.strictSame(beside.wrong, [], 'the live event stream and the live WebSocket lose nothing and stay open')
  const { stream, session } = beside
  t.comment(`live: ${stream.count} events, ${session.count} messages; longest gaps ${stream.longest.toFixed(0)} and ${session.longest.toFixed(0)} ms, with all in one process`)
  t.strictSame(lines().filter(({ code }) => code === 'internal_error'), [], 'nothing fails in ourselves')
}

t.setTimeout(300_000)

t.test('whatever the upstream does to whatever request, the client sees what is written', async t => {
  const random = new Random()
  const size = Number(process.env['MATRIX_CELLS'] ?? SAMPLE)
  if (size < cells.length) t.comment(`a sample of ${size} of ${cells.length} cells, SEED=${random.seed}`)
  await run(t, size < cells.length ? random.sample(cells, size) : cells)
})

t.test('the matrix is whole', async t => {
  const names = new Set(cells.map(({ behaviour }) => behaviour.name))
  t.equal(names.size * (kinds.length * 2 - 1), cells.length)
})
