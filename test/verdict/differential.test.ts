import t from 'tap'
import { playInProcess } from '../fixtures/differential/in-process.ts'
import { add, emptyTally } from '../fixtures/differential/tally.ts'
import { Random } from '../fixtures/random.ts'

/** Sessions played; npm run differential plays many more. */
const SESSIONS = Number(process.env['DIFFERENTIAL_SESSIONS'] ?? 400)
const TOGETHER = 10

t.test(`${SESSIONS} sessions: whatever goes well direct goes well through the guard`, async t => {
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
  t.equal(wrong.length, 0)
})
