import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { median } from './load.ts'
import { cores, start, type Measured } from './process.ts'
import { workloads, type Figures } from './workloads.ts'

/**
 * All peers side by side: every round runs every workload on every peer in turn, the proxy on one processor, load and
 * upstream on the other, so that what disturbs the machine disturbs them alike. Only ratios within a round count.
 */
const rounds = Number(process.env['ROUNDS'] ?? 5)
const only = new RegExp(process.env['ONLY'] ?? '.')
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const upstream = await start('upstream', cores.rest, ['node', script('upstream.js')])
const origin = `http://127.0.0.1:${upstream.port}`
const sidecarEnv = { CODEX_SIDECAR_OPENAI_UPSTREAM: `${origin}/v1`, CODEX_SIDECAR_PORT: '0', CODEX_SIDECAR_CONFIG: `${root}.cache/bench/bench.json` }
writeFileSync(sidecarEnv.CODEX_SIDECAR_CONFIG, '{ "lanes": { "verified": 4096, "unverified": 4096 }, "limits": { "tunnels": 4096 } }')

const makers: Readonly<Record<string, () => Promise<Measured>>> = {
  'codex-sidecar': () => start('codex-sidecar', cores.proxy, ['node', `${root}dist/main.js`], sidecarEnv),
  'stock http-proxy': () => start('stock http-proxy', cores.proxy, ['node', script('peers/stock.js')], { UPSTREAM: origin }),
  'floor': () => start('floor', cores.proxy, ['node', script('peers/floor.js')], { UPSTREAM: origin }),
  'http-proxy-3': () => start('http-proxy-3', cores.proxy, ['node', script('peers/http-proxy-3.js')], { UPSTREAM: origin }),
  'fastify hello': () => start('fastify hello', cores.proxy, ['node', script('peers/hello.js')])
}

/** figures[workload][figure][peer] = one value a round. */
type Values = Record<string, Record<string, Record<string, number[]>>>
const values: Values = {}
const missing: string[] = []

async function round (number: number): Promise<void> {
  for (const workload of workloads.filter(({ name }) => only.test(name))) {
    // A process of its own for each workload: what one leaves in memory must not count for the next.
    for (const peer of workload.peers) {
      const make = makers[peer]
      if (peer !== 'direct' && (make === undefined || missing.includes(peer))) continue
      const target = peer === 'direct' ? { ...upstream, stop: async () => {} } : await (make as () => Promise<Measured>)()
      try {
        const figures: Figures = await workload.run(target)
        for (const [figure, value] of Object.entries(peer === 'direct' ? withoutCpu(figures) : figures)) (((values[workload.name] ??= {})[figure] ??= {})[peer] ??= []).push(value)
      } finally {
        await target.stop()
      }
    }
    console.error(`round ${number} of ${rounds}: ${workload.name}`)
  }
}

/** Where there is no proxy, its processor time is the upstream's. */
const withoutCpu = (figures: Figures): Figures => Object.fromEntries(Object.entries(figures).filter(([figure]) => !/CPU|RSS/.test(figure)))

for (const peer of ['http-proxy-3']) if (!existsSync(`${root}node_modules/${peer}`)) missing.push(peer)
const starts: number[] = []
const idles: number[] = []
try {
  for (let i = 1; i <= rounds; i++) {
    const sidecar = await (makers['codex-sidecar'] as () => Promise<Measured>)()
    starts.push(sidecar.startMs)
    idles.push(sidecar.rss().now)
    await sidecar.stop()
    await round(i)
  }
} finally {
  await upstream.stop()
}

const round2 = (value: number): string => value >= 100 ? value.toFixed(0) : value.toFixed(2)
const lines = ['| workload | figure | codex-sidecar | ratio to each peer: median of rounds (least to most) |', '| --- | --- | --- | --- |']
for (const [workload, figures] of Object.entries(values)) {
  for (const [figure, peers] of Object.entries(figures)) {
    const ours = peers['codex-sidecar'] ?? []
    const ratios = Object.entries(peers).filter(([peer]) => peer !== 'codex-sidecar').map(([peer, theirs]) => {
      const each = ours.map((value, i) => value / (theirs[i] as number)).sort((a, b) => a - b)
      return `${peer} ${round2(median(each))} (${round2(each[0] as number)} to ${round2(each.at(-1) as number)})`
    })
    lines.push(`| ${workload} | ${figure} | ${round2(median(ours))} | ${ratios.join('; ')} |`)
  }
}
lines.push(`| start-up to listening | ms | ${round2(median(starts))} | |`, `| idle | RSS MB | ${round2(median(idles))} | |`)
console.log(`${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}, ${rounds} rounds${missing.length > 0 ? `; not installed: ${missing.join(', ')}` : ''}\n\n${lines.join('\n')}`)
mkdirSync(`${root}.cache/bench`, { recursive: true })
writeFileSync(`${root}.cache/bench/result.json`, JSON.stringify({ values, starts, idles }, null, 2))
