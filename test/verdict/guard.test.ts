import t from 'tap'
import type { Clock } from '../../src/clock.ts'
import type { Options, Route } from '../../src/config/options.ts'
import { defaultRoutes } from '../../src/config/routes.ts'
import { createShapeReader } from '../../src/credential/shape.ts'
import { createTellingReader } from '../../src/credential/telling.ts'
import { UpstreamClock } from '../../src/upstream/clock.ts'
import { VerdictCache } from '../../src/verdict/cache/cache.ts'
import { createClaimsValidator } from '../../src/verdict/local/claims.ts'
import { credentialOf, guardOn, ticketsOf } from '../fixtures/judging.ts'
import { jwt } from '../fixtures/token.ts'

const openai = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options)[2] as Route

function setUp () {
  const time = { now: 1 }
  const clock: Clock = { monotonic: () => time.now, wall: () => 1_700_000_000_000 + time.now }
  return { time, clock, cache: new VerdictCache({ entries: 100, active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 3_000, clock }) }
}

t.test('a request without any field on which a judgement may depend has one shape, whatever came before it', async t => {
  const shapeOf = createShapeReader()
  const fields = ['openai-organization']
  const before = shapeOf([], fields)
  shapeOf(['OpenAI-Organization', 'org-1'], fields)
  t.equal(shapeOf([], fields), before)
  const tellOf = createTellingReader()
  const names = Array.from({ length: 1_100 }, (_, i) => [`x-${i}-api-key`, 'a'])
  const told = names.map(raw => tellOf(raw, []))
  t.equal(new Set(told).size, 1_100)
  t.strictSame(names.map(raw => tellOf(raw, [])), told, 'nor does it matter how many names of fields there were')
  t.strictSame([tellOf([], []), tellOf(['X-Api-Key', 'a'], ['x-api-key']), tellOf(['x-1-api-key', 'a', 'x-1-api-key', 'a'], [])].map(digest => told.includes(digest)), [false, false, false])
})

t.test('all that is said within one answer is one word, no newer than what came of later requests', async t => {
  const { cache, clock, time } = setUp()
  const look = () => cache.look(ticketsOf(cache, clock)(credentialOf('a'), openai)).verdict?.state
  const guard = guardOn(cache, clock)
  const begin = async () => await guard({ route: openai, raw: ['Authorization', 'Bearer a'], method: 'POST', path: '/v1/responses' })
  const error = { code: 'token_revoked', message: 'revoked' }
  const [old, stream] = [await begin(), await begin()]
  old.learn(200, [])
  stream.learn(200, [])
  for (const event of [{ type: 'error', error }, { type: 'response.failed', response: { error } }]) stream.overhear(event)
  t.equal(look(), 'active', 'an error and the failed response are one contradiction')
  time.now += 600_000
  old.overhear({ type: 'error', error })
  t.equal(look(), undefined, 'a later request was good')
  stream.overhear({ type: 'error', error })
  t.equal(look(), undefined, 'one word against a token that was good')
  ;(await begin()).learn(401, [], Buffer.from(JSON.stringify({ error })))
  t.equal(look(), 'inactive', 'which counted: this is the second one')
})

t.test('a request that waited for a probe which says nothing goes where the token’s others go by now', async t => {
  const { cache, clock } = setUp()
  let answered: (verdict: undefined) => void = () => {}
  const guard = guardOn(cache, clock, { prober: { first: () => new Promise(resolve => { answered = resolve }), beside: () => {} } })
  const waiting = guard({ route: openai, raw: ['Authorization', 'Bearer a'], method: 'POST' })
  cache.learn(ticketsOf(cache, clock)(credentialOf('a'), openai), { kind: 'accepted', source: 'upstream' })
  answered(undefined)
  t.equal((await waiting).lane, 'verified')
})

t.test('a Date that was long under way does not set the clock by which new tokens are judged', async t => {
  const { cache, clock, time } = setUp()
  let ahead = 0
  const laptop: Clock = { monotonic: clock.monotonic, wall: () => clock.wall() + ahead }
  const upstream = new UpstreamClock(laptop, () => Promise.resolve(undefined))
  const guard = guardOn(cache, laptop, { clockOf: () => upstream, local: createClaimsValidator(() => upstream) })
  const judge = async (token: string) => await guard({ route: openai, raw: ['Authorization', `Bearer ${token}`], method: 'POST' })
  const slow = await judge('a')
  const date = new Date(laptop.wall()).toUTCString()
  ahead = 8 * 3_600_000 // it sleeps, the answer having come
  slow.learn(200, ['Date', date])
  const fresh = jwt({ nbf: laptop.wall() / 1_000, exp: laptop.wall() / 1_000 + 3_600 })
  const { refusal, learn } = await judge(fresh)
  t.equal(refusal, undefined)
  learn(200, ['Date', new Date(laptop.wall()).toUTCString()])
  t.not(upstream.now(), undefined, 'one that came soon does')
  time.now += 61_000
  const late = await judge(fresh)
  time.now += 30_001
  late.learn(200, ['Date', date])
  t.ok((upstream.now() ?? 0) > laptop.wall() - 2_000)
})

t.test('what an upstream said of the time counts for an hour', async t => {
  let now = 1
  const clock: Clock = { monotonic: () => now, wall: () => 1_700_000_000_000 + now }
  const upstream = new UpstreamClock(clock, () => Promise.resolve(undefined))
  upstream.note(clock.wall(), upstream.moment())
  now += 3_600_000
  t.not(upstream.now(), undefined)
  now += 1
  t.equal(upstream.now(), undefined)
})

t.test('a dead token’s handshake gets the 426 with which the upstream answers all of them (field.md F5)', async t => {
  const { cache, clock } = setUp()
  const guard = guardOn(cache, clock)
  const judge = async (token: string, handshake: boolean, path = '/v1/responses') =>
    await guard({ route: openai, raw: ['Authorization', `Bearer ${token}`], method: handshake ? 'GET' : 'POST', path, handshake })
  ;(await judge('dead', false)).learn(401, [], Buffer.from('{"error":{"code":"token_revoked"}}'))
  t.equal((await judge('dead', true)).refusal?.code, 'token_rejected', 'as long as nothing is known of handshakes')
  ;(await judge('good', true)).learn(426, [])
  t.match((await judge('dead', true)).refusal, { code: 'upgrade_required', status: 426 })
  t.equal((await judge('dead', false)).refusal?.code, 'token_rejected', 'HTTP is told the reason')
  t.equal((await judge('dead', true, '/v1/realtime')).refusal?.code, 'token_rejected', 'another path is another matter')
  ;(await judge('good', true)).learn(101, [])
  t.equal((await judge('dead', true)).refusal?.code, 'token_rejected', 'until one is accepted')
})
