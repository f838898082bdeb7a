import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { peersOf, startUpstream } from './peers.ts'
import { markdown, type Values } from './ratios.ts'
import { workloads, type Figures, type Workload } from './workloads.ts'

/**
 * All peers side by side, the proxy on one processor, load and upstream on the other. A round is one short turn of each
 * peer after the other, so that what disturbs the machine disturbs them alike: only ratios within a round count.
 */
/** Turns that are not counted, unless a workload needs more: connections are opened, the token is asked about, the compiler does its work. */
const WARM_UPS = 4
/** Times the turns of each workload. */
const factor = Number(process.env['ROUNDS'] ?? 1)
const only = new RegExp(process.env['ONLY'] ?? '.')

const upstream = await startUpstream()
const peers = peersOf(upstream)
const values: Values = {}
const note = (workload: string, peer: string, figures: Figures): void => {
  for (const [figure, value] of Object.entries(figures)) {
    // Where there is no proxy, its processor time and memory are the upstream's.
    if (peer === 'direct' && /CPU|RSS/.test(figure)) continue
    (((values[workload] ??= {})[figure] ??= {})[peer] ??= []).push(value)
  }
}

/** A process of its own for each turn: what an earlier one left in memory must not count. */
async function runFresh ({ name, run }: Workload, asked: readonly string[]): Promise<void> {
  for (const peer of asked) {
    const target = await peers.start(peer)
    try { note(name, peer, await run(target)) } finally { await target.stop() }
  }
}

/** All processes are there all the time, warm, and take turns. */
async function takeTurns ({ name, run, turns, warmUps = WARM_UPS }: Workload, asked: readonly string[]): Promise<void> {
  const targets = await Promise.all(asked.map(async peer => ({ peer, target: await peers.start(peer) })))
  try {
    for (let warmUp = 0; warmUp < warmUps; warmUp++) for (const { target } of targets) await run(target)
    for (let turn = 0; turn < turns * factor; turn++) for (const { peer, target } of targets) note(name, peer, await run(target))
  } finally {
    await Promise.all(targets.map(({ target }) => target.stop()))
  }
}

try {
  for (const workload of workloads.filter(({ name }) => only.test(name))) {
    const asked = workload.peers.filter(peer => !peers.missing.includes(peer))
    if (workload.fresh === true) for (let turn = 0; turn < workload.turns * factor; turn++) await runFresh(workload, asked)
    else await takeTurns(workload, asked)
    console.error(workload.name)
  }
} finally {
  await upstream.stop()
}

const about = `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}` +
  (peers.missing.length > 0 ? `; not installed: ${peers.missing.join(', ')}` : '')
console.log(`${about}\n\n${markdown(values)}`)
writeFileSync(fileURLToPath(new URL('../../../../.cache/bench/result.json', import.meta.url)), JSON.stringify({ about, values }, null, 2))
