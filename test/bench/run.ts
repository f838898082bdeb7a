import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { percentile } from './load.ts'
import { peersOf, startUpstream } from './peers.ts'
import type { Measured } from './process.ts'
import { markdown, type Values } from './ratios.ts'
import { workloads, type Figures, type Workload } from './workloads.ts'

/**
 * All peers side by side, the proxy on one processor, load and upstream on the other. A round is one short turn of each
 * peer after the other, so that what disturbs the machine disturbs them alike: only ratios within a round count.
 */
/** Turns that are not counted, unless a workload needs more: connections are opened, the token is asked about, the compiler does its work. */
const WARM_UPS = 4
/** By how much the same work may cost load and upstream more than in the quieter turns. */
const DISTURBED = 1.15
/** Times the rounds that are wanted: so many are taken at most until there are enough quiet ones. */
const TRIES = 2
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

/** What one peer measured in one turn, and the processor time of load and upstream meanwhile, microseconds. */
interface Turn { readonly peer: string, readonly figures: Figures, readonly rest: number }

const restCpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system + upstream.cpu()
}

async function takeRound (targets: readonly { peer: string, target: Measured }[], run: Workload['run']): Promise<Turn[]> {
  const round: Turn[] = []
  // In another order each time: who comes after an idle proxy, or after a large one, finds the processor's caches otherwise.
  const order = targets.map(target => ({ target, at: Math.random() })).sort((a, b) => a.at - b.at)
  for (const { target: { peer, target } } of order) {
    const before = restCpu()
    const figures = await run(target)
    round.push({ peer, figures, rest: restCpu() - before })
  }
  return targets.map(({ peer }) => round.find(turn => turn.peer === peer) as Turn)
}

/**
 * So many rounds in which the machine left ours and each other peer alone, or `TRIES` times as many in all. Load and
 * upstream have the same to do for a peer in all of its turns: one in which that took more of the processor than it
 * usually does is told by `NaN`, since something else was running then.
 */
async function quietRounds (count: number, take: () => Promise<Turn[]>): Promise<Turn[][]> {
  const rounds: Turn[][] = []
  for (;;) {
    rounds.push(await take())
    const limits = (rounds[0] as Turn[]).map((_, i) => percentile(rounds.map(round => (round[i] as Turn).rest).sort((a, b) => a - b), 20) * DISTURBED)
    const quiet = (round: Turn[], i: number): boolean => (round[i] as Turn).rest <= (limits[i] as number)
    const pairs = limits.map((_, i) => rounds.filter(round => quiet(round, 0) && quiet(round, i)).length)
    if (Math.min(...pairs) < count && rounds.length < count * TRIES) continue
    return rounds.map(round => round.map((turn, i) => quiet(round, i) ? turn : { ...turn, figures: Object.fromEntries(Object.keys(turn.figures).map(figure => [figure, NaN])) }))
  }
}

/** All processes are there all the time, warm, and take turns. */
async function takeTurns ({ name, run, turns, warmUps = WARM_UPS }: Workload, asked: readonly string[]): Promise<void> {
  const targets = await Promise.all(asked.map(async peer => ({ peer, target: await peers.start(peer) })))
  try {
    for (let warmUp = 0; warmUp < warmUps; warmUp++) for (const { target } of targets) await run(target)
    for (const round of await quietRounds(turns * factor, () => takeRound(targets, run))) {
      for (const { peer, figures } of round) note(name, peer, figures)
    }
  } finally {
    await Promise.all(targets.map(({ target }) => target.stop()))
  }
}

try {
  for (const workload of workloads.filter(({ name }) => only.test(name))) {
    const asked = peers.present(workload.peers)
    if (asked.length === 0) continue
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
