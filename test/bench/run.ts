import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { peersOf, startUpstream } from './peers.ts'
import { markdown, type Values } from './ratios.ts'
import { workloads } from './workloads.ts'

/**
 * All peers side by side: every round runs every workload on every peer in turn, the proxy on one processor, load and
 * upstream on the other, so that what disturbs the machine disturbs them alike. Only ratios within a round count.
 */
const rounds = Number(process.env['ROUNDS'] ?? 5)
const only = new RegExp(process.env['ONLY'] ?? '.')

const upstream = await startUpstream()
const peers = peersOf(upstream)
const values: Values = {}
const note = (workload: string, peer: string, figures: Readonly<Record<string, number>>): void => {
  for (const [figure, value] of Object.entries(figures)) {
    // Where there is no proxy, its processor time and memory are the upstream's.
    if (peer === 'direct' && /CPU|RSS/.test(figure)) continue
    (((values[workload] ??= {})[figure] ??= {})[peer] ??= []).push(value)
  }
}

try {
  for (let round = 1; round <= rounds; round++) {
    for (const { name, peers: asked, run } of workloads.filter(({ name }) => only.test(name))) {
      // A process of its own for each workload: what one leaves in memory must not count for the next.
      for (const peer of asked.filter(peer => !peers.missing.includes(peer))) {
        const target = await peers.start(peer)
        try {
          note(name, peer, await run(target))
        } finally {
          await target.stop()
        }
      }
      console.error(`round ${round} of ${rounds}: ${name}`)
    }
  }
} finally {
  await upstream.stop()
}

const about = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}, ${rounds} rounds` +
  (peers.missing.length > 0 ? `; not installed: ${peers.missing.join(', ')}` : '')
console.log(`${about}\n\n${markdown(values)}`)
writeFileSync(fileURLToPath(new URL('../../../../.cache/bench/result.json', import.meta.url)), JSON.stringify({ about, values }, null, 2))
