// CPU that a cached verdict adds to a good request: the whole guard, from the raw header list to the decision.
// npm run bench:verdicts

import { Registry } from 'prom-client'
import t from 'tap'
import { systemClock as clock } from '../../src/clock.ts'
import type { Options, Route } from '../../src/config/options.ts'
import { defaultRoutes } from '../../src/config/routes.ts'
import { createVerdictMetrics } from '../../src/telemetry/metrics/verdict.ts'
import { VerdictCache } from '../../src/verdict/cache/cache.ts'
import type { Decision } from '../../src/verdict/guard.ts'
import { createClaimsValidator } from '../../src/verdict/local/claims.ts'
import { agreeing, guardOn } from '../fixtures/judging.ts'
import { jwt } from '../fixtures/token.ts'

const ROUNDS = 7
const CALLS = 20_000
/** µs. */
const LIMIT = 40

const [chatgpt] = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options) as [Route]
const observer = createVerdictMetrics(new Registry(), { entries: 10_000, clock })
const cache = new VerdictCache({ entries: 10_000, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 5_000, clock, observer })
const upstream = agreeing(clock)
const guard = guardOn(cache, clock, { clockOf: () => upstream, local: createClaimsValidator(() => upstream), observer })

/** A Codex request's header list around a token. */
const headers = (token: string): string[] => [
  'host', '127.0.0.1:7257', 'authorization', `Bearer ${token}`, 'chatgpt-account-id', 'acct-1', 'openai-beta', 'responses=experimental', 'originator', 'codex_cli_rs',
  'session-id', 'b0e8a6c2', 'thread-id', 'b0e8a6c2', 'version', '0.169.0', 'user-agent', 'codex_cli_rs/0.169.0', 'accept', 'text/event-stream', 'content-type', 'application/json', 'content-length', '40000'
]

/** µs of CPU per call, the least of several rounds: what else runs on the machine only adds. */
function measure (token: string): number {
  const raw = headers(token)
  const first = guard({ route: chatgpt, raw, method: 'POST' }) as Decision
  first.learn(200, [])
  let least = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (let i = 0; i < CALLS; i++) {
      if ((guard({ route: chatgpt, raw, method: 'POST' }) as Decision).lane !== 'verified') throw new Error('not from the cache')
    }
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / CALLS)
  }
  return least
}

const padding = (bytes: number): Record<string, unknown> => ({ scp: 'x'.repeat(bytes) })
for (const [name, token] of [
  ['personal access token', `at-${'a'.repeat(37)}`],
  ['ChatGPT JWT', jwt(padding(500))],
  ['ChatGPT JWT', jwt(padding(1_250))],
  ['JWT with large claims', jwt(padding(5_800))]
] as const) {
  const us = measure(token)
  t.comment(`${name}, ${token.length} B: ${us.toFixed(1)} µs of CPU a request`)
  if (token.length < 3_000) t.ok(us < LIMIT, `under ${LIMIT} µs`)
}
