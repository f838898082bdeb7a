import t from 'tap'
import { createCredentialReader, type Credential } from '../src/credential.ts'
import { createGuard } from '../src/guard.ts'
import { defaultRoutes, type Options, type Route } from '../src/options.ts'
import { createClaimsValidator } from '../src/validators/claims.ts'
import { VerdictCache, type Testimony } from '../src/verdict-cache.ts'
import type { Clock, Inactive, Verdict } from '../src/verdict.ts'
import { jwt } from './fixtures/token.ts'

const read = createCredentialReader()
const credentialOf = (token: string): Credential => {
  const presented = read(['Authorization', `Bearer ${token}`], ['authorization'])
  if (presented.kind !== 'credential') throw new Error(presented.kind)
  return presented.credential
}
const [chatgpt, , openai] = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options) as [Route, Route, Route]
const revoked: Inactive = { state: 'inactive', reason: 'token_rejected', source: 'upstream', detail: 'it was revoked' }
const rejected: Testimony = { kind: 'rejected', verdict: revoked }
const accepted: Testimony = { kind: 'accepted', source: 'upstream' }

function setUp (entries = 100) {
  const time = { now: 1 }
  const clock: Clock = { monotonic: () => time.now, wall: () => 1_700_000_000_000 + time.now }
  const cache = new VerdictCache({ entries, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 3_000, clock })
  const ticket = (token: string, route = openai) => cache.ticket(credentialOf(token), route)
  return { time, clock, cache, ticket, look: (token: string, route = openai) => cache.look(ticket(token, route)).verdict?.state }
}

t.test('a rejection holds its time, doubles while it is confirmed, and no longer than its longest', async t => {
  const { time, cache, ticket, look } = setUp()
  for (const hold of [15_000, 30_000, 60_000, 120_000, 120_000]) {
    cache.learn(ticket('a'), rejected)
    time.now += hold - 1
    t.equal(look('a'), 'inactive', `${hold} ms`)
    time.now += 1
    t.equal(look('a'), undefined, 'then it is asked again')
  }
  cache.learn(ticket('a'), accepted)
  cache.learn(ticket('a'), rejected)
  time.now += 15_000
  t.equal(look('a'), undefined, 'a success in between begins anew')
})

t.test('rejections that were under way together count once', async t => {
  const { time, cache, ticket, look } = setUp()
  const [first, second] = [ticket('a'), ticket('a')]
  cache.learn(first, rejected)
  time.now += 100
  cache.learn(second, rejected)
  time.now += 15_000
  t.equal(look('a'), undefined)
})

t.test('when a rejection is due, one asks and the others get the last answer, but not for long', async t => {
  const { time, cache, ticket, look } = setUp()
  cache.learn(ticket('a'), rejected)
  time.now += 15_000
  t.strictSame([look('a'), look('a'), look('a')], [undefined, 'inactive', 'inactive'])
  time.now += 3_000
  t.strictSame([look('a'), look('a')], [undefined, 'inactive'], 'whoever asked does not come back: the next one asks')
  for (const kind of ['silent', 'ambiguous'] as const) {
    cache.learn(ticket('a'), { kind })
    t.strictSame([look('a'), look('a')], [undefined, undefined], `${kind}: no answer to it, so forward`)
    cache.learn(ticket('a'), rejected)
    cache.learn(ticket('a'), { kind })
    t.equal(look('a'), 'inactive', 'but not before it is due')
    time.now += 200_000
    look('a')
  }
})

t.test('an older answer never overwrites a newer one', async t => {
  const { cache, ticket, look } = setUp(1)
  const slow = ticket('a')
  cache.learn(ticket('a'), accepted)
  cache.learn(slow, rejected)
  t.equal(look('a'), 'active', 'a 401 that began before a 2xx ended')
  const slower = ticket('a')
  cache.learn(ticket('a'), accepted)
  cache.learn(ticket('b'), accepted)
  cache.learn(slower, rejected)
  t.equal(look('a'), undefined, 'also where the 2xx has fallen out of the cache')
  cache.learn(ticket('a'), rejected)
  t.equal(look('a'), 'inactive', 'a newer one counts')
})

t.test('a good verdict ends after its time and with its token', async t => {
  const { time, cache, ticket, look } = setUp()
  const soon = jwt({ exp: 1_700_000_000 + 100 })
  cache.learn(ticket('a'), accepted)
  cache.learn(ticket(soon), accepted)
  time.now += 159_000
  t.equal(look(soon), 'active')
  time.now += 1_001
  t.equal(look(soon), undefined, 'its end and the skew')
  time.now += 600_000
  t.equal(look('a'), undefined)
})

t.test('junk pushes out junk, not what is in use', async t => {
  const { cache, ticket, look } = setUp(10)
  cache.learn(ticket('good'), accepted)
  for (let i = 0; i < 1_000; i++) cache.learn(ticket(`junk-${i}`), rejected)
  t.equal(look('good'), 'active')
  t.equal(cache.size, 11)
})

t.test('release: one token everywhere, or all', async t => {
  const { cache, ticket, look } = setUp()
  for (const token of ['a', 'b']) for (const route of [openai, chatgpt]) cache.learn(ticket(token, route), rejected)
  t.equal(cache.release(String(credentialOf('a'))), 2)
  t.strictSame([look('a'), look('a', chatgpt), look('b')], [undefined, undefined, 'inactive'])
  t.equal(cache.release(), 2)
  t.equal(look('b'), undefined)
})

t.test('the end of a token, for a person', async t => {
  const { clock, time } = setUp()
  time.now = 0
  const validator = createClaimsValidator(clock)
  const detail = (secondsAgo: number): string | undefined =>
    validator.validate(credentialOf(jwt({ exp: 1_700_000_000 - secondsAgo })), { route: openai, raw: [] })?.detail.replace(/^.*\(/, '(')
  t.strictSame([61, 121, 3_600, 86_400, 200_000].map(detail), ['(1 minute ago)', '(2 minutes ago)', '(1 hour ago)', '(1 day ago)', '(2 days ago)'])
})

t.test('the guard asks validators only about tokens it knows nothing of, and remembers what is certain', async t => {
  const { cache, clock } = setUp()
  const asked: string[] = []
  const answers = new Map<string, Verdict | undefined>([['good', { state: 'active', source: 'probe' }], ['bad', { ...revoked, source: 'probe' }], ['unclear', undefined]])
  const guard = createGuard({
    read, cache, local: [createClaimsValidator(clock)],
    remote: [
      { validate: () => undefined },
      { validate: async credential => { asked.push(credential.reveal()); return answers.get(credential.reveal()) } }
    ]
  })
  const judge = async (token: string) => {
    const { refusal, lane, source } = await guard({ route: openai, raw: ['Authorization', `Bearer ${token}`] })
    return { code: refusal?.code, lane, source }
  }
  for (let i = 0; i < 2; i++) {
    t.strictSame(await judge('good'), { code: undefined, lane: 'verified', source: 'probe' })
    t.strictSame(await judge('bad'), { code: 'token_rejected', lane: 'unverified', source: 'probe' })
    t.strictSame(await judge('unclear'), { code: undefined, lane: 'unverified', source: undefined })
  }
  t.strictSame(asked, ['good', 'bad', 'unclear', 'unclear'], 'could not tell is not remembered')
})
