// A storm of different tokens beside one good token: memory, and whether the good one is still answered from the cache.
// The real guard, cache and metrics; sockets are the suite's, whose storms are smaller.
// npm run bench:verdicts

import { Registry } from 'prom-client'
import t from 'tap'
import { systemClock as clock } from '../../src/clock.ts'
import type { Options, Route } from '../../src/config/options.ts'
import { defaultRoutes } from '../../src/config/routes.ts'
import { createVerdictMetrics } from '../../src/telemetry/metrics/verdict.ts'
import { VerdictCache } from '../../src/verdict/cache/cache.ts'
import type { Decision } from '../../src/verdict/guard.ts'
import { guardOn } from '../fixtures/judging.ts'
import { deadKey } from '../fixtures/upstream.ts'

const JUNK = 1_000_000
const EVERY = 100
const ENTRIES = 10_000
/** Bytes that the memory may grow after the cache is full. */
const BOUND = 64 << 20

const [, , openai] = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options) as [Route, Route, Route]
const observer = createVerdictMetrics(new Registry(), { entries: ENTRIES, clock })
const cache = new VerdictCache({ entries: ENTRIES, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 5_000, clock, observer })
const guard = guardOn(cache, clock, { observer })
const judge = (token: string): Decision => guard({ route: openai, raw: ['Authorization', `Bearer ${token}`], method: 'POST' }) as Decision

const body = Buffer.from(JSON.stringify(deadKey))
/** What upstreams answer to junk: most of it definitive, some without a reason, some nothing about it. */
const answers: [status: number, body: Buffer][] = [[401, body], [401, body], [401, Buffer.from('{"detail":"Unauthorized"}')], [429, body]]

judge('good').learn(200, [])
let [hits, asked] = [0, 0]
let [full, peak] = [0, 0]
const started = performance.now()
for (let i = 0; i < JUNK; i++) {
  const { refusal, learn } = judge(`junk-${i}`)
  if (refusal === undefined) learn(...(([status, text]) => [status, [], text] as const)(answers[i % answers.length] as [number, Buffer]))
  if (i % EVERY === 0) {
    asked++
    if (judge('good').lane === 'verified') hits++
  }
  if (i % 50_000 === 0) {
    await new Promise(resolve => setImmediate(resolve))
    const { rss } = process.memoryUsage()
    peak = Math.max(peak, rss)
    if (i === 100_000) full = rss
  }
}
const mb = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(0)} MB`
t.comment(`${JUNK} different tokens in ${((performance.now() - started) / 1000).toFixed(1)} s, ${cache.size} entries kept`)
t.comment(`RSS ${mb(full)} after 100,000, ${mb(peak)} at most`)
t.comment(`the good token: ${hits} of ${asked} answered from the cache (${(hits / asked * 100).toFixed(2)} %)`)
t.equal(hits, asked)
t.ok(peak - full < BOUND)
t.ok(cache.size <= 3 * ENTRIES)
