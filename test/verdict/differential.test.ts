import t from 'tap'
import { costOf, deaths } from '../fixtures/differential/cost.ts'
import { playInProcess } from '../fixtures/differential/in-process.ts'
import { playOverSockets } from '../fixtures/differential/over-sockets.ts'
import { add, emptyTally } from '../fixtures/differential/tally.ts'
import { Random } from '../fixtures/random.ts'

/** Sessions played; npm run differential plays many more. */
const SESSIONS = Number(process.env['DIFFERENTIAL_SESSIONS'] ?? 400)
/** That share a guard and logins. */
const TOGETHER = 10
/** The share of them that is played over real sockets as well. */
const OVER_SOCKETS = 0.05
/** ms that a session may take on a busy machine. */
const PATIENCE = 100

t.setTimeout(120_000 + SESSIONS * PATIENCE)

t.test(`${SESSIONS} sessions: whatever goes well direct goes well through the guard`, async t => {
  t.setTimeout(0)
  const seed = new Random()
  t.comment(`SEED=${seed.seed}`)
  const sum = emptyTally()
  while (sum.sessions < SESSIONS) {
    const one = seed.below(2 ** 32)
    const tally = await playInProcess(new Random(one), TOGETHER)
    for (const wrong of tally.wrong) t.comment(`seed ${one}: ${JSON.stringify(wrong)}`)
    add(sum, tally)
  }
  const { wrong, ...numbers } = sum
  t.comment(JSON.stringify({ ...numbers, wrong: wrong.length }))
  t.strictSame(wrong, [])
  t.equal(sum.falseNegatives, 0, 'and the metric says so')
  t.ok(sum.refused > 0 && sum.upstream < sum.requests + sum.probes, 'though some are refused')
})

t.test('the same over real sockets', async t => {
  t.setTimeout(0)
  const random = new Random()
  t.comment(`SEED=${random.seed}`)
  const { wrong, unlike, ...numbers } = await playOverSockets(t, random, Math.max(20, SESSIONS * OVER_SOCKETS))
  t.comment(JSON.stringify({ ...numbers, wrong: wrong.length }))
  t.strictSame(wrong, [])
  t.strictSame(unlike, [], 'what is forwarded is answered as it would be direct')
  t.equal(numbers.falseNegatives, 0)
  t.ok(numbers.refused > 0, 'though some are refused')
})

t.test('an upstream that refuses every other good request without a reason: then some are refused here, and counted as wrong', async t => {
  const random = new Random()
  t.comment(`SEED=${random.seed}`)
  const sum = emptyTally()
  while (sum.sessions < 1_000 && (sum.wrong.length === 0 || sum.falseNegatives === 0)) add(sum, await playInProcess(new Random(random.below(2 ** 32)), TOGETHER, 1 / 2))
  t.comment(`${sum.wrong.length} of ${sum.requests} wrong, ${sum.falseNegatives} false negatives`)
  t.ok(sum.wrong.length > 0 && sum.falseNegatives > 0, 'which is why they have to be that rare')
  t.strictSame(sum.wrong.filter(({ detail = '' }) => !detail.includes('without saying why')), [])
})

t.test('what a dead token costs the upstream, one request again and again: one or two', async t => {
  for (const login of deaths) {
    for (const probe of ['first-use', 'off'] as const) {
      for (const good of [0, 3]) {
        const { requests, probes } = await costOf(t, login, { probe, good, times: 20 })
        t.comment(`${login.kind}; probe ${probe}; ${good === 0 ? 'cold' : 'was good'}: ${requests} and ${probes} probes of 20`)
        // Good tokens meet 401s without a reason, too: four in a row are needed, of which two may be a probe's where nothing is known of the token.
        const unexplained = login.kind.includes('without a reason') && (good > 0 || probe === 'off')
        t.ok(requests <= (unexplained ? 4 : 2) && requests + probes >= 1, login.kind)
      }
    }
  }
})
