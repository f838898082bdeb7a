import { Registry } from 'prom-client'
import t from 'tap'
import type { Clock } from '../../src/clock.ts'
import type { Options, Route } from '../../src/config/options.ts'
import { defaultRoutes } from '../../src/config/routes.ts'
import type { Presentation } from '../../src/credential/presentation.ts'
import { createVerdictMetrics } from '../../src/telemetry/metrics/verdict.ts'
import { VerdictCache } from '../../src/verdict/cache/cache.ts'
import { createClaimsValidator } from '../../src/verdict/local/claims.ts'
import type { Inactive, Testimony, Verdict } from '../../src/verdict/verdict.ts'
import { agreeing, credentialOf, guardOn, ticketsOf } from '../fixtures/judging.ts'
import { jwt } from '../fixtures/token.ts'
import { deadKey } from '../fixtures/upstream.ts'

const [chatgpt, , openai] = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options) as [Route, Route, Route]
const revoked: Inactive = { state: 'inactive', reason: 'token_rejected', source: 'upstream', detail: 'it was revoked' }
const rejected: Testimony = { kind: 'rejected', reach: 'token', verdict: revoked }
const ambiguous: Testimony = { kind: 'rejected', reach: 'request', verdict: { ...revoked, detail: 'with 401 again and again, without saying why' } }
const accepted: Testimony = { kind: 'accepted', source: 'upstream' }

function setUp (entries = 100) {
  const time = { now: 1 }
  const clock: Clock = { monotonic: () => time.now, wall: () => 1_700_000_000_000 + time.now }
  const cache = new VerdictCache({ entries, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 3_000, clock })
  const tickets = ticketsOf(cache, clock)
  const ticket = (token: string, route = openai, other: Partial<Presentation> = {}) => tickets(credentialOf(token), route, other)
  return { time, clock, cache, ticket, look: (token: string, route = openai, other: Partial<Presentation> = {}) => cache.look(ticket(token, route, other)).verdict?.state }
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
  for (let i = 0; i < 2; i++) cache.learn(ticket('a'), rejected)
  t.equal(look('a'), 'inactive')
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
  for (const answer of [{ kind: 'silent' }, ambiguous] as const) {
    cache.learn(ticket('a'), answer)
    t.strictSame([look('a'), look('a')], [undefined, undefined], `${answer.kind}: no answer to it, so forward`)
    cache.learn(ticket('a'), rejected)
    cache.learn(ticket('a'), answer)
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

t.test('four 401s without a reason count, if they are four', async t => {
  const { time, cache, ticket, look } = setUp()
  const ask = (token: string) => cache.look(ticket(token)).ask
  /** That many, one after the other. */
  const unexplained = (token: string, times: number, other: Partial<Presentation> = {}): void => { for (let i = 0; i < times; i++) cache.learn(ticket(token, openai, other), ambiguous) }
  const together = Array.from({ length: 5 }, () => ticket('a'))
  for (const one of together) cache.learn(one, ambiguous)
  t.strictSame([look('a'), ask('a')], [undefined, 'first'], 'requests under way together say it once; suspect')
  for (let i = 0; i < 3; i++) {
    t.equal(look('a'), undefined)
    time.now += 30_000
    unexplained('a', 1)
  }
  t.equal(look('a'), 'inactive', 'a fourth one, each within 30 s')
  time.now += 15_000
  t.strictSame([look('a'), look('a')], [undefined, 'inactive'], 'holds 15 s, and one asks again')
  cache.learn(ticket('a'), ambiguous)
  t.equal(look('a'), 'inactive', 'which gets the same')
  t.equal(look('a', openai, { path: '/v1/models' }), undefined, 'another path is another request')
  t.equal(look('a', openai, { raw: ['OpenAI-Organization', 'org-1'] }), undefined, 'so is another shape')
  unexplained('b', 3)
  time.now += 30_001
  unexplained('b', 3)
  t.equal(look('b'), undefined, 'later it is no fourth one')
  cache.learn(ticket('b'), accepted)
  t.strictSame([look('b'), ask('b')], ['active', 'nobody'], 'a success clears it')
  unexplained('b', 3)
  t.strictSame([look('b'), ask('b')], ['active', 'beside'])
  cache.learn(ticket('b', openai, { path: '/v1/files' }), accepted)
  unexplained('b', 3)
  t.equal(look('b'), 'active', 'so does one of another request')
  unexplained('b', 1)
  t.strictSame([look('b'), look('b', openai, { path: '/v1/files' })], ['inactive', 'active'], 'a good verdict that holds does not go on for ever, for requests like these')
  cache.learn(ticket('b', openai, { path: '/v1/files' }), accepted)
  t.equal(look('b'), 'active', 'and the next success shows that the token lives')
  const slow = ticket('c')
  cache.learn(ticket('c'), accepted)
  cache.learn(slow, ambiguous)
  t.equal(look('c'), 'active', 'one that began before a success ended is outdated')
  cache.learn(ticket('d'), rejected)
  cache.learn(ticket('d'), ambiguous)
  t.equal(look('d'), 'inactive', 'a rejection is not weakened by it')
  cache.learn(ticket('e'), ambiguous)
  t.equal(cache.release(), 3, 'release takes it back')
  t.equal(ask('e'), 'first')
})

t.test('401s without a reason to a probe count where no real request of the token was good, beside two to requests like one another', async t => {
  const { time, cache, ticket, look } = setUp()
  const byProbe: Testimony = { kind: 'rejected', reach: 'request', verdict: { ...revoked, source: 'probe' } }
  const asProbe = { method: 'GET', path: '/v1/models' }
  /** Answers to a probe and to a request in turn. */
  const both = (token: string, times: number, other: Partial<Presentation> = {}): void => {
    for (let i = 0; i < times; i++) {
      cache.learn(ticket(token, openai, { ...asProbe, ...other }), byProbe)
      cache.learn(ticket(token), ambiguous)
    }
  }
  both('a', 1)
  t.equal(look('a'), undefined)
  both('a', 1)
  t.strictSame([look('a'), look('a', openai, asProbe)], ['inactive', undefined], 'what the probe asks is no request')
  for (let i = 0; i < 5; i++) cache.learn(ticket('b', openai, asProbe), byProbe)
  cache.learn(ticket('b'), ambiguous)
  t.equal(look('b'), undefined, 'however often it asks')
  cache.learn(ticket('c'), accepted)
  both('c', 3)
  t.equal(look('c'), 'active', 'over a real success its word counts for nothing')
  both('d', 1)
  cache.learn(ticket('d', openai, asProbe), { kind: 'accepted', source: 'probe' })
  both('d', 1)
  t.equal(look('d'), 'active', 'its good word counts')
  both('e', 3, { raw: ['OpenAI-Organization', 'org-1'] })
  t.equal(look('e'), undefined, 'with other fields it asks about something else')
  for (let i = 0; i < 2; i++) cache.learn(ticket('f', openai, asProbe), byProbe)
  time.now += 30_001
  for (let i = 0; i < 3; i++) cache.learn(ticket('f'), ambiguous)
  t.equal(look('f'), undefined, 'long ago says nothing')
  cache.learn(ticket('g'), rejected)
  time.now += 15_000
  t.equal(look('g'), undefined)
  cache.learn(ticket('g', openai, asProbe), byProbe)
  t.equal(look('g'), 'inactive', 'and it is no answer to whoever asks about a rejection')
})

t.test('a success says nothing against what dead-token words hold against other requests of its shape', async t => {
  const { cache, ticket, look } = setUp()
  const handshake = { method: 'GET', handshake: true }
  cache.learn(ticket('a', openai, handshake), rejected)
  cache.learn(ticket('a'), accepted)
  t.strictSame([look('a'), look('a', openai, handshake)], ['active', 'inactive'])
})

t.test('refused WebSocket handshakes say nothing without a reason, and with one nothing about HTTP', async t => {
  const { cache, clock, look } = setUp()
  const guard = guardOn(cache, clock)
  const raw = ['Authorization', 'Bearer a']
  const [http, handshake] = [{ method: 'POST', path: '/v1/responses' }, { method: 'GET', path: '/v1/responses', handshake: true }]
  for (let i = 0; i < 10; i++) (await guard({ route: openai, raw, ...handshake })).learn(401, [], Buffer.alloc(0))
  t.strictSame([look('a'), look('a', openai, handshake)], [undefined, undefined])
  for (let i = 0; i < 3; i++) (await guard({ route: openai, raw, ...http })).learn(401, [], Buffer.alloc(0))
  t.equal(look('a', openai, http), undefined, 'nor are they among the four of requests')
  ;(await guard({ route: openai, raw, ...handshake })).learn(401, [], Buffer.from(JSON.stringify(deadKey)))
  t.strictSame([look('a', openai, handshake), look('a', openai, http)], ['inactive', undefined], 'a definitive one counts against handshakes')
})

t.test('a 101 proves nothing, and what comes in band after it counts', async t => {
  const { cache, clock, time, look } = setUp()
  const guard = guardOn(cache, clock)
  const raw = ['Authorization', 'Bearer a']
  ;(await guard({ route: openai, raw, method: 'POST' })).learn(401, [], Buffer.from(JSON.stringify(deadKey)))
  time.now += 15_000
  const { learn, overhear } = await guard({ route: openai, raw, method: 'GET', handshake: true })
  learn(101, [])
  t.equal(look('a'), 'inactive', 'the key stays rejected')
  overhear({ type: 'error', error: { code: 'rate_limit_exceeded', message: 'slow down' } })
  overhear({ type: 'error', error: { code: 'invalid_api_key', message: 'Incorrect API key provided' } })
  time.now += 29_999
  t.equal(look('a'), 'inactive', 'and is confirmed in band')
  const fresh = await guard({ route: openai, raw: ['Authorization', 'Bearer b'], method: 'GET', handshake: true })
  fresh.learn(101, [])
  fresh.overhear({ type: 'response.failed', response: { error: { code: 'token_revoked', message: 'revoked' } } })
  t.equal(look('b'), 'inactive', 'a new one is refused from then on')
})

t.test('a tunnel that ends early makes the verdict due, so that the probe asks', async t => {
  const { cache, clock } = setUp()
  const asked: string[] = []
  const guard = guardOn(cache, clock, { prober: { first: () => undefined, beside: credential => { asked.push(credential.reveal()) } } })
  const judge = async () => await guard({ route: openai, raw: ['Authorization', 'Bearer a'], method: 'POST' })
  ;(await judge()).learn(200, [])
  const { doubt } = await judge()
  t.strictSame(asked, [])
  doubt()
  t.equal((await judge()).lane, 'verified', 'it goes on')
  t.strictSame(asked, ['a'])
  ;(await guard({ route: openai, raw: ['Authorization', 'Bearer unknown'], method: 'POST' })).doubt()
})

t.test('dead-token words against a token that was good', async t => {
  const turn = { method: 'POST', path: '/v1/responses' }
  const wrong = { ...turn, raw: ['OpenAI-Organization', 'org-wrong'] }
  await t.test('in another shape, or to a handshake, count from the second in a row, against requests like it only', async t => {
    for (const other of [wrong, { method: 'GET', path: '/v1/responses', handshake: true }]) {
      const { cache, ticket, look, time } = setUp()
      const strange = () => ticket('a', openai, other)
      cache.learn(ticket('a', openai, turn), accepted)
      const together = strange()
      cache.learn(strange(), rejected)
      t.equal(look('a', openai, other), 'active', 'one answer in many is wrong')
      cache.learn(together, rejected)
      t.equal(look('a', openai, other), 'active', 'those under way together say it once')
      time.now += 30_001
      cache.learn(strange(), rejected)
      t.equal(look('a', openai, other), 'active', 'later it is no second one')
      cache.learn(strange(), rejected)
      t.strictSame([look('a', openai, turn), look('a', openai, other)], ['active', 'inactive'])
      cache.learn(strange(), { kind: 'silent' })
      t.equal(look('a', openai, other), 'inactive', 'as long as they do else')
      time.now += 15_000
      t.strictSame([look('a', openai, other), look('a', openai, other)], [undefined, 'inactive'], 'then one asks again')
      cache.learn(strange(), rejected)
      time.now += 29_999
      t.equal(look('a', openai, other), 'inactive', 'whose answer confirms it')
      time.now += 1
      t.equal(look('a', openai, other), undefined)
      cache.learn(strange(), { kind: 'silent' })
      t.equal(look('a', openai, other), 'active', 'no answer to it, so forward')
      cache.learn(strange(), rejected)
      t.equal(look('a', openai, other), 'active', 'and all begins anew')
    }
  })
  await t.test('count no more for its verdict’s being out of date', async t => {
    const { cache, ticket, look, time } = setUp()
    cache.learn(ticket('a', openai, turn), accepted)
    time.now += 3_600_000
    cache.learn(ticket('a', openai, { ...turn, path: '/v1/embeddings' }), rejected)
    t.strictSame([look('a', openai, turn), cache.laneOf(ticket('a'))], [undefined, 'verified'], 'it has not been refused since')
    cache.learn(ticket('a', openai, turn), rejected)
    t.equal(look('a', openai, turn), 'inactive', 'a second one, to a request like one that was good')
  })
  await t.test('in the good shape need a second one, to a request like one that was good', async t => {
    const { cache, ticket, look, time } = setUp()
    cache.learn(ticket('a', openai, turn), accepted)
    const together = ticket('a', openai, turn)
    cache.learn(ticket('a', openai, turn), rejected)
    t.equal(look('a', openai, turn), 'active', 'the next one goes on')
    cache.learn(together, rejected)
    t.equal(look('a', openai, turn), 'active', 'those under way together say it once')
    cache.learn(ticket('a', openai, turn), accepted)
    cache.learn(ticket('a', openai, turn), rejected)
    t.equal(look('a', openai, turn), 'active', 'a success in between begins anew')
    time.now += 30_001
    cache.learn(ticket('a', openai, turn), rejected)
    t.equal(look('a', openai, turn), 'active', 'so do 30 s')
    cache.learn(ticket('a', openai, turn), rejected)
    t.strictSame([look('a', openai, turn), look('a', openai, wrong)], ['inactive', 'inactive'], 'the token is dead')
  })
  await t.test('on a path that never took it count against that path only', async t => {
    const { cache, ticket, look } = setUp()
    const models = { method: 'GET', path: '/v1/models' }
    cache.learn(ticket('a', openai, turn), accepted)
    cache.learn(ticket('a', openai, models), rejected)
    cache.learn(ticket('a', openai, { ...models, path: '/v1/files' }), rejected)
    t.equal(look('a', openai, models), 'active')
    cache.learn(ticket('a', openai, models), rejected)
    t.strictSame([look('a', openai, models), look('a', openai, turn)], ['inactive', 'active'])
    for (let i = 0; i < 40; i++) cache.learn(ticket('a', openai, { ...models, path: `/v1/files/${i}` }), rejected)
    t.equal(look('a', openai, turn), 'active', 'however many paths')
  })
  await t.test('of a probe never count against real requests', async t => {
    const { cache, ticket, look, time } = setUp()
    const byProbe: Testimony = { kind: 'rejected', reach: 'token', verdict: { ...revoked, source: 'probe' } }
    cache.learn(ticket('a'), accepted)
    cache.learn(ticket('a'), byProbe)
    t.equal(look('a'), 'active')
    cache.learn(ticket('b'), byProbe)
    t.equal(look('b'), 'inactive', 'a new token is refused by it')
    time.now += 15_000
    t.equal(cache.look(ticket('b')).ask, 'nobody', 'once: then a real request asks')
  })
})

t.test('a probe with other fields than those that were good says nothing against a token', async t => {
  const { cache, ticket, look, time } = setUp()
  const byProbe: Testimony = { kind: 'rejected', reach: 'token', verdict: { ...revoked, source: 'probe' } }
  cache.learn(ticket('a'), { kind: 'accepted', source: 'probe' })
  cache.learn(ticket('a', openai, { raw: ['OpenAI-Organization', 'org-wrong'] }), byProbe)
  t.equal(look('a'), 'active')
  cache.learn(ticket('a'), byProbe)
  t.equal(look('a'), 'inactive', 'with the same ones it does')
  cache.learn(ticket('b'), { kind: 'accepted', source: 'probe' })
  time.now += 600_000
  cache.learn(ticket('b', openai, { raw: ['OpenAI-Organization', 'org-wrong'] }), byProbe)
  t.strictSame([look('b'), cache.laneOf(ticket('b'))], [undefined, 'verified'], 'nor where its verdict is out of date')
})

t.test('a false negative is a success on the same route within 60 s of a refusal', async t => {
  const { clock, time, ticket } = setUp()
  const registry = new Registry()
  const { refused, succeeded } = createVerdictMetrics(registry, { entries: 2, clock })
  const count = async () => (await registry.getSingleMetric('codex_sidecar_false_negatives_total')?.get())?.values[0]?.value ?? 0
  for (const [ms, token, expected] of [[60_000, 'a', 1], [60_001, 'b', 1]] as const) {
    refused(ticket(token), 'token')
    time.now += ms
    succeeded(ticket(token, chatgpt))
    succeeded(ticket(token))
    t.equal(await count(), expected)
  }
  const like = { raw: ['OpenAI-Organization', 'org-wrong'] }
  refused(ticket('a', openai, like), 'request')
  refused(ticket('a', openai, like), 'request')
  succeeded(ticket('a'))
  t.equal(await count(), 1, 'a refusal of requests like one another is no wrong one for others')
  succeeded(ticket('a', openai, like))
  t.equal(await count(), 2)
  const before = ticket('a')
  refused(ticket('a'), 'token')
  succeeded(before)
  t.equal(await count(), 2, 'what began before the refusal says that the token was good then')
})

t.test('a 401 to a request that began before a release is not held against the token', async t => {
  const { cache, ticket, look } = setUp()
  const [slow, other] = [ticket('a'), ticket('b')]
  cache.learn(ticket('a'), rejected)
  cache.release(String(credentialOf('a')))
  cache.learn(slow, rejected)
  cache.learn(other, rejected)
  t.strictSame([look('a'), look('b')], [undefined, undefined])
  cache.learn(ticket('a'), accepted)
  cache.learn(ticket('a'), rejected)
  cache.release(String(credentialOf('a')))
  cache.learn(ticket('a'), rejected)
  t.equal(look('a'), 'active', 'nor is one that came before it, against a good verdict, the first of two')
})

t.test('an answer to a request from before a rejection does not extend it, nor end it', async t => {
  const { time, cache, ticket, look } = setUp()
  const [slow, silent] = [ticket('a'), ticket('a')]
  cache.learn(ticket('a'), rejected)
  time.now += 15_000
  cache.learn(slow, rejected)
  cache.learn(silent, { kind: 'silent' })
  t.strictSame([look('a'), look('a')], [undefined, 'inactive'], 'it is due all the same, and one asks')
  cache.learn(silent, { kind: 'silent' })
  t.equal(look('a'), 'inactive', 'only its own answer counts')
})

t.test('an upstream that answers 1 % of good requests with a 401 without a reason: 100,000 requests, no refusal', async t => {
  const { time, clock } = setUp()
  const registry = new Registry()
  const observer = createVerdictMetrics(registry, { entries: 100, clock })
  const cache = new VerdictCache({ entries: 100, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 3_000, clock, observer })
  const guard = guardOn(cache, clock, { observer })
  let seed = 42
  const random = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  let [refused, ambiguous] = [0, 0]
  const waiting: (() => void)[] = []
  for (let i = 0; i < 100_000; i++) {
    time.now += Math.floor(random() * 2_000)
    const decision = await guard({ route: openai, raw: ['Authorization', `Bearer token-${i % 10}`] })
    if (decision.refusal !== undefined) refused++
    const unclear = random() < 0.01
    if (unclear) ambiguous++
    waiting.push(() => decision.learn(unclear ? 401 : 200, [], Buffer.from('{"detail":"Unauthorized"}')))
    // Answers come in no order, up to 20 requests late.
    if (waiting.length > 20 * random()) for (const answer of waiting.splice(Math.floor(random() * waiting.length))) answer()
  }
  const suspected = (await registry.getMetricsAsJSON()).find(({ name }) => name === 'codex_sidecar_suspicions_total')?.values[0]?.value ?? 0
  t.comment(`${ambiguous} answers of 401, ${suspected} counted as suspicion, ${refused} requests refused`)
  t.equal(refused, 0)
  t.ok(ambiguous > 800 && suspected > 0)
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
  const validator = createClaimsValidator(() => agreeing(clock))
  const detail = (secondsAgo: number): string | undefined =>
    (validator.validate(credentialOf(jwt({ exp: 1_700_000_000 - secondsAgo })), { route: openai, raw: [] }) as Inactive | undefined)?.detail.replace(/^.*\(/, '(')
  t.strictSame([61, 121, 3_600, 86_400, 200_000].map(detail), ['(1 minute ago)', '(2 minutes ago)', '(1 hour ago)', '(1 day ago)', '(2 days ago)'])
})

t.test('the guard asks validators only about tokens it knows nothing of, and remembers what is certain', async t => {
  const { cache, clock } = setUp()
  const asked: string[] = []
  const answers = new Map<string, Verdict | undefined>([['good', { state: 'active', source: 'probe' }], ['bad', { ...revoked, source: 'probe' }], ['unclear', undefined]])
  const guard = guardOn(cache, clock, {
    remote: [
      { validate: credential => credential.reveal() === 'forged' ? Promise.resolve<Verdict>({ ...revoked, reason: 'invalid_signature', source: 'signature' }) : undefined },
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
    t.strictSame(await judge('forged'), { code: 'invalid_signature', lane: 'unverified', source: 'signature' })
    t.strictSame(await judge('unclear'), { code: undefined, lane: 'unverified', source: undefined })
  }
  t.strictSame(asked, ['good', 'bad', 'unclear', 'unclear'], 'could not tell is not remembered')
})
