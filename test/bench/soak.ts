import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { openLive, type Sequence } from '../fixtures/live.ts'
import { routesFor, sharedPrefix } from '../fixtures/matrix.ts'
import { Random } from '../fixtures/random.ts'
import { startBuilt, startFaults } from './processes.ts'
import { clientsFor } from './soak-clients.ts'

/** Mixed good and bad traffic with faults at random against the built program, for as many minutes as the argument says. */
const minutes = Number(process.argv[2] ?? 10)
const random = new Random()
const say = (text: string): void => { process.stdout.write(`${text}\n`) }
say(`soak: ${minutes} minutes, SEED=${random.seed}, Node ${process.version}`)

const WORKERS = 10
/** ms a worker rests between two acts, on average: some 60 % of a core in all. */
const REST = 180
/** ms of each stretch with faults, and without. */
const STRETCH = Math.min(30_000, minutes * 60_000 / 6)
/** Share of the run after which memory may grow no more. */
const WARM_UP = 1 / 3

const faults = await startFaults()
const routes = routesFor(faults, sharedPrefix)
const sidecar = await startBuilt({
  routes: [...routes, { prefix: '/anthropic', upstream: `${faults.origins.plain}/`, dialect: 'anthropic', credential: ['x-api-key', 'authorization'], foreignPrefixes: {} }],
  times: { connect: 800, headers: 1_000, streamHeaders: 1_000, handshake: 1_000, errorBody: 300, idleStream: 1_000, inactive: 1_000, inactiveMax: 2_000 },
  limits: { verdicts: 1_000 }
}, faults.ca)
const base = sidecar.handles()
const live = await openLive({ teardown: () => {} }, sidecar.port)
const { clients, close } = clientsFor(sidecar.port, sidecar.url, random)

const started = performance.now()
const end = started + minutes * 60_000
const elapsed = (): number => performance.now() - started
const withFaults = (): boolean => Math.floor(elapsed() / STRETCH) % 2 === 1

/** By client, then by what was seen. */
const seen = new Map<string, Map<string, number>>()
const violations: string[] = []
const samples: [minute: number, mb: number][] = []
const gaps = { quiet: { stream: 0, session: 0 }, faults: { stream: 0, session: 0 } }

async function work (): Promise<void> {
  while (performance.now() < end) {
    const client = random.pick(clients)
    const { what, seen: got, allowed } = await Promise.race([client.act(withFaults()), sleep(60_000, { what: 'an act', seen: 'hung', allowed: [] as string[] }, { ref: false })])
    const counts = seen.get(client.name) ?? new Map<string, number>()
    seen.set(client.name, counts.set(got, (counts.get(got) ?? 0) + 1))
    if (!allowed.includes(got)) violations.push(`${client.name}: ${what}: ${got} instead of ${allowed.join(' or ')} (after ${(elapsed() / 1000).toFixed(0)} s)`)
    await sleep(random.below(2 * REST))
  }
}

/** Notes memory and gaps while the others work. */
async function watch (): Promise<void> {
  const take = (sequence: Sequence, into: 'stream' | 'session', when: 'quiet' | 'faults'): void => {
    gaps[when][into] = Math.max(gaps[when][into], sequence.longest)
    sequence.longest = 0
  }
  for (let n = 0; performance.now() < end; n++) {
    const when = withFaults() ? 'faults' : 'quiet'
    await sleep(Math.min(1_000, end - performance.now()))
    take(live.stream, 'stream', when)
    take(live.session, 'session', when)
    if (n % 5 === 0) samples.push([elapsed() / 60_000, sidecar.rss()])
    if (n % 60 === 59) say(`${(elapsed() / 60_000).toFixed(0)} min: ${sidecar.rss().toFixed(0)} MB, ${sidecar.handles()} handles, ${violations.length} violations`)
  }
}

await Promise.all([watch(), ...Array.from({ length: WORKERS }, work)])
violations.push(...live.wrong.map(text => `live: ${text}`))
const asking = new Agent({ pipelining: 0 })
const metrics = await (await request(`${sidecar.url}/metrics`, { dispatcher: asking })).body.text()
await asking.close()
const { stream, session } = live
live.close()
await close()
/** Idle upstream connections close after some seconds of their own. */
for (let i = 0; i < 60 && sidecar.handles() > base; i++) await sleep(500)
const handles = sidecar.handles()
if (handles > base) violations.push(`${handles - base} handles are left over: ${sidecar.leftOver()}`)
violations.push(...sidecar.alarms.map(line => `log: ${line}`))

/** MB a minute, least squares over what came after the warm-up. */
const settled = samples.filter(([minute]) => minute >= minutes * WARM_UP)
const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length
const [x, y] = [mean(settled.map(([minute]) => minute)), mean(settled.map(([, mb]) => mb))]
const slope = settled.reduce((sum, [minute, mb]) => sum + (minute - x) * (mb - y), 0) / settled.reduce((sum, [minute]) => sum + (minute - x) ** 2, 0)
const growth = slope * minutes * (1 - WARM_UP)
// In a short run the heap still finds its size.
if (minutes >= 10 && growth > 0.1 * y) violations.push(`memory grows: ${growth.toFixed(1)} MB after the warm-up at ${y.toFixed(0)} MB`)

const [exitCode, signal] = await sidecar.stop()
if (exitCode !== 0) violations.push(`it ended with ${exitCode ?? signal}`)
faults.child.disconnect()

let total = 0
say('\n| client | seen | times |\n| --- | --- | --- |')
for (const [name, counts] of [...seen].sort()) {
  for (const [what, n] of [...counts].sort((a, b) => b[1] - a[1])) { say(`| ${name} | ${what} | ${n} |`); total += n }
}
const outcomes = new Map<string, number>()
for (const [, labels = '', n] of metrics.matchAll(/^codex_sidecar_requests_total\{(.*)\} (\d+)$/gm)) {
  const [status, code, ending] = ['status', 'code', 'ending'].map(name => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? '')
  const key = `| ${status} | ${code} | ${ending} |`
  outcomes.set(key, (outcomes.get(key) ?? 0) + Number(n))
}
say('\n| status | code | ending | requests, by the sidecar’s own count |\n| --- | --- | --- | --- |')
for (const [key, n] of [...outcomes].sort()) say(`${key} ${n} |`)
const inMb = (at: number): string => (samples.at(at)?.[1] ?? NaN).toFixed(0)
say(`
acts of clients: ${total} in ${minutes} min; requests at the sidecar: ${[...outcomes.values()].reduce((a, b) => a + b, 0)}; log lines: ${sidecar.lines}
resident memory: ${inMb(0)} MB at the start, ${(samples.find(([minute]) => minute >= minutes * WARM_UP)?.[1] ?? NaN).toFixed(0)} MB after the warm-up, ${inMb(-1)} MB at the end; slope after the warm-up ${slope.toFixed(3)} MB/min
handles: ${base} at the start, ${handles} at the end
live: ${stream.count} events and ${session.count} messages, none lost unless it says so below
longest gap without faults: ${gaps.quiet.stream.toFixed(0)} ms on the event stream, ${gaps.quiet.session.toFixed(0)} ms on the WebSocket
longest gap with faults: ${gaps.faults.stream.toFixed(0)} ms on the event stream, ${gaps.faults.session.toFixed(0)} ms on the WebSocket
violations: ${violations.length}`)
for (const text of violations.slice(0, 100)) say(`  ${text}`)
process.exit(violations.length === 0 ? 0 : 1)
