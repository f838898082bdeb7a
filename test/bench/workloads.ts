import { connect } from 'node:net'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { fresh, head, keepAlive, percentile, type Latencies } from './load.ts'
import type { Measured } from './process.ts'

/** What one workload measured of one peer in one turn; smaller is better. */
export type Figures = Readonly<Record<string, number>>

export interface Workload {
  readonly name: string
  /** Peers that can do it. */
  readonly peers: readonly string[]
  /** How often each of them is measured. */
  readonly turns: number
  /** Turns before those, in which V8 compiles: nobody's sidecar is new with its thousandth request, and its start has a row of its own. */
  readonly warmUps?: number
  /** Whether each turn needs a process of its own. */
  readonly fresh?: boolean
  readonly run: (target: Measured) => Promise<Figures>
}

const all = ['codex-sidecar', 'stock http-proxy', 'floor', 'http-proxy-3', 'nginx', 'nginx auth_request', 'direct']
const local = ['codex-sidecar', 'fastify hello', 'nginx auth_request']
const good = 'good-token-0123456789'
const body = JSON.stringify({ model: 'm', stream: true, input: 'x'.repeat(40_000) })

/** µs of the peer's processor time for each of `count` things, and latencies where they were measured. */
async function measured (target: Measured, count: number, work: () => Promise<Latencies | undefined>): Promise<Figures> {
  const before = target.cpu()
  const latencies = await work()
  const figures = { 'CPU µs': (target.cpu() - before) / count }
  return latencies === undefined ? figures : { ...figures, 'p50 ms': percentile(latencies, 50), 'p99 ms': percentile(latencies, 99) }
}

const requests = (name: string, peers: readonly string[], request: Buffer, { connections, count, turns = 15, send = keepAlive }: { connections: number, count: number, turns?: number, send?: typeof keepAlive }): Workload => ({
  name, peers, turns, warmUps: 12,
  run: async target => await measured(target, count, () => send(target.port, request, { connections, count }))
})

/** Event streams: CPU of the proxy for each event, and how long an event takes where it carries its time and can be read. */
const streams = (name: string, { connections, count, every, gzip = false }: { connections: number, count: number, every: number, gzip?: boolean }): Workload => ({
  name, peers: all, turns: 7,
  run: async target => await measured(target, connections * count, async () => {
    const latencies: number[] = []
    await Promise.all(Array.from({ length: connections }, async () => {
      const socket = connect(target.port, '127.0.0.1')
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        if (every > 0) for (const [, at = ''] of chunk.matchAll(/"at":(\d+)/g)) latencies.push(Number(process.hrtime.bigint() - BigInt(at)) / 1e6)
      })
      // Whatever the peer answers, its answer has an end.
      socket.write(head('POST', `/v1/events/responses?every=${every}&count=${count}${gzip ? '&gzip' : ''}`, good, '{}').toString().replace('\r\n', '\r\nconnection: close\r\n'))
      await once(socket, 'close')
    }))
    return every > 0 && !gzip ? latencies.sort((a, b) => a - b) : undefined
  })
})

/** Messages of so many bytes that come back, over several sockets at once, one at a time on each. */
const echo = (bytes: number, { sockets, count }: { sockets: number, count: number }): Workload => ({
  name: `WebSocket echo, ${bytes} B, ${sockets} at once`, peers: ['codex-sidecar', 'stock http-proxy', 'http-proxy-3', 'bare sockets', 'direct'], turns: 9,
  run: async target => {
    const open = await Promise.all(Array.from({ length: sockets }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${target.port}/v1/responses`, { headers: { authorization: `Bearer ${good}` }, perMessageDeflate: false, maxPayload: 1 << 24 })
      await once(socket, 'open')
      return socket
    }))
    const message = Buffer.alloc(bytes, 'x')
    const figures = await measured(target, count, async () => {
      const latencies: number[] = []
      let left = count
      await Promise.all(open.map(async socket => {
        while (left-- > 0) {
          const began = performance.now()
          const back = once(socket, 'message')
          socket.send(message)
          await back
          latencies.push(performance.now() - began)
        }
      }))
      return latencies.sort((a, b) => a - b)
    })
    for (const socket of open) socket.terminate()
    return figures
  }
})

/** 100 MB one way: MB a second, and how far the peer's memory grows. */
const transfer = (way: 'up' | 'down'): Workload => ({
  name: `100 MB ${way}`, peers: all, turns: 3, fresh: true,
  run: async target => {
    const size = 100 << 20
    const idle = target.rss().now
    const began = performance.now()
    const socket = connect(target.port, '127.0.0.1')
    let got = 0
    const received = new Promise<void>(resolve => socket.on('data', (chunk: Buffer) => {
      got += chunk.length
      if (way === 'up' || got >= size) resolve()
    }))
    if (way === 'down') socket.write(head('GET', `/v1/download?bytes=${size}`, good))
    else {
      socket.write(`POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${good}\r\ncontent-length: ${size}\r\n\r\n`)
      const block = Buffer.alloc(1 << 20)
      for (let sent = 0; sent < 100; sent++) if (!socket.write(block)) await once(socket, 'drain')
    }
    await received
    socket.destroy()
    return { 'ms': performance.now() - began, 'RSS MB': Math.max(0, target.rss().peak - idle) }
  }
})

/** What each of 1,000 idle connections costs, KB: of the first ones, for which code is loaded and compiled, and of those after them. */
const idle = (name: string, peers: readonly string[], open: (target: Measured) => Promise<() => void>): Workload => ({
  name, peers, turns: 3, fresh: true,
  run: async target => {
    const closers: (() => void)[] = []
    const each = async (): Promise<number> => {
      const before = target.rss().now
      for (let i = 0; i < 20; i++) closers.push(...await Promise.all(Array.from({ length: 50 }, () => open(target))))
      return (target.rss().now - before) * 1024 / 1000
    }
    const figures = { 'KB each': await each(), 'KB each, 1,000 being there': await each() }
    for (const close of closers) close()
    return figures
  }
})

/** Event streams on one route while the other route's upstream hangs, its unverified lane is full and more keeps coming. */
const beside: Workload = {
  name: 'event streams beside a route whose upstream hangs',
  peers: ['codex-sidecar beside trouble', 'codex-sidecar in quiet'], turns: 3, fresh: true,
  run: async target => {
    const trouble = target.name.endsWith('trouble')
    const held = Array.from({ length: trouble ? 64 : 0 }, (_, i) => {
      const socket = connect(target.port, '127.0.0.1').on('error', () => {}).resume()
      socket.write(head('GET', '/hang/x', `hanging-${i}`))
      return socket
    })
    const more = connect(target.port, '127.0.0.1').on('error', () => {}).resume()
    let n = 0
    const storm = setInterval(() => { if (trouble) more.write(head('GET', '/hang/x', `more-${n++}`)) }, 5)
    const gaps: number[] = []
    await Promise.all(Array.from({ length: 20 }, async () => {
      const socket = connect(target.port, '127.0.0.1')
      let last = 0
      let text = ''
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        const now = performance.now()
        if (last > 0) gaps.push(now - last)
        last = now
        text += chunk
        if (text.includes('response.completed')) socket.destroy() // anywhere in it: framing may follow
        text = text.slice(-64)
      })
      socket.write(head('GET', '/v1/events?every=20&count=250', good))
      await once(socket, 'close')
    }))
    clearInterval(storm)
    for (const socket of [...held, more]) socket.destroy()
    gaps.sort((a, b) => a - b)
    return { 'p50 gap ms': percentile(gaps, 50), 'p99 gap ms': percentile(gaps, 99), 'longest gap ms': percentile(gaps, 100) }
  }
}

/** The bench, workload by workload. */
export const workloads: readonly Workload[] = [
  { name: 'start', peers: ['codex-sidecar', 'stock http-proxy', 'http-proxy-3', 'codex responses-api-proxy'], turns: 5, fresh: true, run: async ({ startMs, rss }) => ({ 'ms to listening': startMs, 'RSS MB': rss().now }) },
  requests('good token, 64 connections', all, head('GET', '/v1/models', good), { connections: 64, count: 2_500 }),
  requests('good token, 1 connection', all, head('GET', '/v1/models', good), { connections: 1, count: 1_500 }),
  requests('good token, a connection each', all, head('GET', '/v1/models', good), { connections: 16, count: 1_000, send: fresh }),
  requests('POST 40 KB', [...all, 'codex responses-api-proxy'], head('POST', '/v1/responses', good, body), { connections: 16, count: 1_000 }),
  requests('POST 40 KB, a connection each', [...all, 'codex responses-api-proxy'], head('POST', '/v1/responses', good, body), { connections: 16, count: 1_000, send: fresh }),
  requests('local 401, expired', local, head('GET', '/v1/models', `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('{"exp":1}').toString('base64url')}.c2ln`), { connections: 64, count: 2_500 }),
  requests('local 401, known to be dead', local, head('GET', '/v1/models', 'dead'), { connections: 64, count: 2_500 }),
  requests('local 401, malformed', local, head('GET', '/v1/models', 'undefined'), { connections: 64, count: 2_500 }),
  requests('local 401, known to be dead, 1 connection', local, head('GET', '/v1/models', 'dead'), { connections: 1, count: 1_500 }),
  streams('200 streams, 50 events/s each', { connections: 200, count: 75, every: 20 }),
  streams('20 streams flat out', { connections: 20, count: 2_000, every: 0 }),
  streams('200 gzip streams, 50 events/s each', { connections: 200, count: 75, every: 20, gzip: true }),
  streams('20 gzip streams flat out', { connections: 20, count: 2_000, every: 0, gzip: true }),
  echo(200, { sockets: 16, count: 4_000 }), echo(16_384, { sockets: 16, count: 2_000 }), echo(262_144, { sockets: 16, count: 320 }),
  echo(200, { sockets: 1, count: 1_500 }),
  beside,
  transfer('up'), transfer('down'),
  // The others hold 128 and 512 streams at most as they come.
  idle('1,000 idle event streams', ['codex-sidecar', 'nginx'], async target => {
    const socket = connect(target.port, '127.0.0.1')
    socket.write(head('GET', '/v1/events?every=1000000000&count=1', good))
    await once(socket, 'data')
    return () => { socket.destroy() }
  }),
  idle('1,000 idle WebSockets', ['codex-sidecar', 'stock http-proxy', 'http-proxy-3'], async target => {
    const socket = new WebSocket(`ws://127.0.0.1:${target.port}/v1/responses`, { headers: { authorization: `Bearer ${good}` }, perMessageDeflate: false })
    socket.on('error', () => {})
    await once(socket, 'open')
    return () => { socket.terminate() }
  })
]
