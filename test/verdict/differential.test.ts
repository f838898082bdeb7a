import t from 'tap'
import { costOf, deaths } from '../fixtures/differential/cost.ts'
import { playInProcess } from '../fixtures/differential/in-process.ts'
import { playOverSockets } from '../fixtures/differential/over-sockets.ts'
import { add, emptyTally, isUnlucky } from '../fixtures/differential/tally.ts'
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
  const unlucky = sum.wrong.filter(isUnlucky).length
  const { wrong, ...numbers } = sum
  t.comment(JSON.stringify({ ...numbers, wrong: wrong.length - unlucky, unlucky }))
  t.strictSame(wrong.filter(one => !isUnlucky(one)), [])
  t.ok(unlucky <= 2 + sum.requests / 50_000, `${unlucky} by two 401s without a reason in a row to good requests`)
  t.ok(sum.refused > 0 && sum.upstream < sum.requests + sum.probes, 'though some are refused')
})

t.test('the same over real sockets', async t => {
  t.setTimeout(0)
  const random = new Random()
  t.comment(`SEED=${random.seed}`)
  const { wrong, unlike, ...numbers } = await playOverSockets(t, random, Math.max(20, SESSIONS * OVER_SOCKETS))
  const unlucky = wrong.filter(({ code }) => code.includes('twice in a row')).length
  t.comment(JSON.stringify({ ...numbers, wrong: wrong.length - unlucky, unlucky }))
  t.ok(unlucky <= 2 + numbers.requests / 50_000)
  t.strictSame(wrong.filter(({ code }) => !code.includes('twice in a row')), [])
  t.strictSame(unlike, [], 'what is forwarded is answered as it would be direct')
  if (unlucky === 0) t.equal(numbers.falseNegatives, 0)
  t.ok(numbers.refused > 0, 'though some are refused')
})

t.test('what a dead token costs the upstream, one request again and again: one or two', async t => {
  for (const login of deaths) {
    for (const probe of ['first-use', 'off'] as const) {
      for (const good of [0, 3]) {
        const { requests, probes } = await costOf(t, login, { probe, good, times: 20 })
        t.comment(`${login.kind}; probe ${probe}; ${good === 0 ? 'cold' : 'was good'}: ${requests} and ${probes} probes of 20`)
        // A good token meets 401s without a reason, too: while it is known to be good they are relayed and count for nothing.
        if (good === 0 || !login.kind.includes('without a reason')) t.ok(requests <= 2 && requests + probes >= 1, login.kind)
      }
    }
  }
})
