import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { openGoodUpstream, openLiveSessions } from '../fixtures/attack/live.ts'
import { Random } from '../fixtures/random.ts'
import { startBuilt } from './processes.ts'

/**
 * A standing attacker on the built program beside four live sessions, for as many minutes as the argument says: phases of
 * attack and of quiet in turn, so that both have the same machine. It fails where a live session is refused or cut, slowed
 * beyond three times its quiet p99, or where something is left over.
 */
const minutes = Number(process.argv[2] ?? 5)
const { seed } = new Random()
const say = (text: string): void => { process.stdout.write(`${text}\n`) }
say(`attack: ${minutes} minutes, SEED=${seed}, Node ${process.version}`)

/** ms of a phase, and at its beginning those in which the one before still has its effect. */
const PHASE = 5_000
const SETTLE = 500
/** What a live session may be slowed by, and the quiet p99 below which a comparison would be one of the scheduler with itself, ms. */
const SLOWER = 3
const LEAST = 5

const good = await openGoodUpstream()
const attacker = fork(fileURLToPath(new URL('attack-process.ts', import.meta.url)), [String(seed)])
const [{ url: hostile }] = await once(attacker, 'message') as [{ url: string }]
const route = (prefix: string, upstream: string): object => ({ prefix, upstream })
const sidecar = await startBuilt({
  routes: [{ ...route('/v1', `${good.url}/v1/`), probePath: '/v1/models' }, route('/evil', `${hostile}/evil/`), route('/down', 'http://127.0.0.1:1')],
  times: { idleUpload: 10_000, idleDownload: 10_000, headers: 10_000, streamHeaders: 10_000, handshake: 5_000, idleStream: 10_000 }
}, [])
attacker.send({ port: sidecar.port, pid: sidecar.pid })

/** ms that the main thread of a process has waited for a processor so far: on a busy machine that is no doing of the sidecar's. */
const waited = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
/** When both processes had waited how long, every few ms, so that it can be said of any span. */
const starved: [at: number, ms: number][] = []
const sample = (): number => {
  const ms = waited(sidecar.pid) + waited(process.pid)
  starved.push([performance.now(), ms])
  if (starved.length > 4_000) starved.splice(0, 2_000)
  return ms
}
const sampling = setInterval(sample, 5)

/** The attack that runs, and how long a live session has waited at most while it ran. */
let attack = ''
const slowest = new Map<string, number>()
let phase: 'quiet' | 'attack' | undefined
const seen = { quiet: new Map<string, number[]>(), attack: new Map<string, number[]>() }
const live = await openLiveSessions(sidecar.port, (session, begun, ms) => {
  if (phase === undefined) return
  const now = sample()
  const [, before = now] = starved.findLast(([at]) => at <= begun) ?? []
  const list = seen[phase].get(session) ?? []
  seen[phase].set(session, list)
  const own = Math.max(0, ms - (now - before))
  list.push(own)
  if (phase === 'attack' && own > (slowest.get(attack) ?? 0)) slowest.set(attack, own)
})
await sleep(1_000)
const base = { mb: sidecar.rss(), handles: sidecar.handles() }

let counts: [string, number][] = []
/** Answers to the attackers themselves that should have been good. */
const complaints: string[] = []
const end = performance.now() + minutes * 60_000
const stopped = new Promise<void>(resolve => {
  attacker.on('message', message => {
    const { counts: played, name = attack, wrong } = message as { counts?: typeof counts, name?: string, wrong?: string }
    attack = name
    if (played !== undefined) counts = played
    if (wrong !== undefined) complaints.push(wrong)
    if (played !== undefined && performance.now() > end) resolve()
  })
})
for (let n = 0; performance.now() < end || n % 2 === 1; n++) { // after an attack only: then the attackers say how many there were
  const next = n % 2 === 0 ? 'quiet' : 'attack'
  phase = undefined
  if (n > 0) attacker.send(next)
  await sleep(SETTLE)
  phase = next
  await sleep(PHASE - SETTLE)
  if (n % 12 === 11) say(`${((minutes * 60_000 - end + performance.now()) / 60_000).toFixed(1)} min: ${sidecar.rss().toFixed(0)} MB, ${sidecar.handles()} handles, ${live.wrong.length} wrong`)
}
phase = undefined
attacker.send('quiet')
await stopped
clearInterval(sampling)
const violations = [...live.wrong, ...complaints]

/** What is left of attacks ends in the times that the configuration names. */
for (let i = 0; i < 60 && sidecar.handles() > base.handles + 8; i++) await sleep(500)
const left = { mb: sidecar.rss(), handles: sidecar.handles() }
await live.close()
const asking = new Agent({ pipelining: 0 })
let places: string[] = []
for (let i = 0; i < 60; i++) {
  const metrics = await (await request(`${sidecar.url}/metrics`, { dispatcher: asking })).body.text()
  places = [...metrics.matchAll(/^codex_sidecar_(?:lane_in_flight\{.*\}|tunnels_open) ([1-9]\d*)$/gm)].map(([line]) => line)
  if (places.length === 0) break
  await sleep(500)
}
await asking.close()
if (places.length > 0) violations.push(`places are left over: ${places.join(', ')}`)
if (left.handles > base.handles + 8) violations.push(`handles are left over: ${sidecar.leftOver()}`)
violations.push(...sidecar.alarms.map(line => `log: ${line}`))
attacker.disconnect()
const [exitCode, signal] = await sidecar.stop()
good.close()
if (exitCode !== 0) violations.push(`it ended with ${exitCode ?? signal}`)

const quantile = (list: number[], q: number): number => list.length === 0 ? NaN : [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))] as number
say('\n| attack | times | longest wait of a live session meanwhile, ms |\n| --- | --- | --- |')
for (const [name, n] of counts.sort()) say(`| ${name} | ${n} | ${(slowest.get(name) ?? 0).toFixed(0)} |`)
say('\n| live session | samples quiet, attack | p50 quiet, ms | p50 under attack | p99 quiet | p99 under attack |\n| --- | --- | --- | --- | --- | --- |')
for (const [session, quiet] of [...seen.quiet].sort()) {
  const attack = seen.attack.get(session) ?? []
  const [calm, under] = [quantile(quiet, 0.99), quantile(attack, 0.99)]
  say(`| ${session} | ${quiet.length}, ${attack.length} | ${quantile(quiet, 0.5).toFixed(1)} | ${quantile(attack, 0.5).toFixed(1)} | ${calm.toFixed(1)} | ${under.toFixed(1)} |`)
  if (attack.length > 0 && under > SLOWER * Math.max(calm, LEAST)) violations.push(`${session} is slowed: p99 ${under.toFixed(1)} ms under attack, ${calm.toFixed(1)} ms quiet`)
}
say(`
attacks: ${counts.reduce((sum, [, n]) => sum + n, 0)}; live requests: ${live.counts.requests}; refused: ${live.counts.refused}; cut: ${live.counts.cut}
memory: ${base.mb.toFixed(0)} MB at the start, ${left.mb.toFixed(0)} MB at the end; handles: ${base.handles} at the start, ${left.handles} at the end; places left over: ${places.length}
violations: ${violations.length}`)
for (const text of violations.slice(0, 50)) say(`  ${text}`)
process.exit(violations.length === 0 ? 0 : 1)
