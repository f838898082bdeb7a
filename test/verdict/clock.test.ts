import t, { type Test } from 'tap'
import { request } from 'undici'
import type { Clock } from '../../src/clock.ts'
import { timeOf } from '../../src/wire/fields/http-date.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, jwt } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Whether an upstream says what time it is. */
type Dating = 'true' | 'none' | 'held back' | ((now: number) => Record<string, string>)

/** A program whose wall clock is off by some ms, and an upstream that judges by the time as it is. */
async function setUp (t: Test, { off, dating = 'true' }: { off: number, dating?: Dating }) {
  let elapsed = 1
  let wrong = off
  const start = Math.floor(Date.now() / 1000) * 1000
  const now = (): number => start + elapsed
  const clock: Clock = { monotonic: () => elapsed, wall: () => now() + wrong }
  const heads: (() => void)[] = []
  const { url: upstream, seen } = await startUpstream(t, ({ method, headers: { authorization = '' } }, response) => {
    response.sendDate = false
    const told = typeof dating === 'function' ? dating(now()) : dating === 'none' ? {} : { date: new Date(now()).toUTCString() }
    for (const [name, value] of Object.entries(told)) response.setHeader(name, value)
    const { exp = Infinity, nbf = 0 } = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString() || '{}') as { exp?: number, nbf?: number }
    const answer = (): void => { json(response, exp > 1e11 || exp < 1e9 || (now() < exp * 1000 && now() >= nbf * 1000) ? 200 : 401, { error: { code: 'token_expired', message: 'expired' } }) }
    if (method === 'HEAD' && dating === 'held back') heads.push(answer)
    else answer()
  })
  const sidecar = await startSidecar(t, { upstream, clock })
  const send = async (token: string) => {
    const { statusCode: status, headers, body } = await request(`${sidecar.url}/backend-api/codex/responses`, { method: 'POST', body: '{}', headers: bearer(token) })
    await body.dump()
    return { status, ours: headers['proxy-status'] !== undefined }
  }
  return {
    send, heads,
    /** Seconds from now, by the true time. */
    at: (ms: number): number => Math.floor((now() + ms) / 1000),
    advance: (ms: number): void => { elapsed += ms },
    /** Somebody sets the clock, or the machine slept. */
    jump: (ms: number): void => { wrong += ms },
    questions: () => seen.filter(({ method }) => method === 'HEAD'),
    get turns () { return seen.length - this.questions().length },
    /** Waits for something to happen at the upstream. */
    async until (holds: () => boolean) { while (!holds()) await new Promise(resolve => setImmediate(resolve)) }
  }
}

const served = { status: 200, ours: false }
const refused = { status: 401, ours: true }

t.test('a token that begins in 5 minutes by our slow clock is forwarded', async t => {
  const s = await setUp(t, { off: -5 * MINUTE - 2_000 })
  t.strictSame(await s.send(jwt({ nbf: s.at(0) })), served)
  t.strictSame(await s.send(jwt({ nbf: s.at(HOUR) })), refused, 'one that begins in an hour of the upstream’s is not')
})

t.test('a token with an hour left is forwarded though our clock is 2, 6 or 9,000 hours ahead, and an expired one is refused', async t => {
  for (const hours of [2, 6, 9_000]) {
    const s = await setUp(t, { off: hours * HOUR })
    t.strictSame(await s.send(jwt({ exp: s.at(HOUR) })), served, `${hours} hours`)
    t.strictSame(await s.send(jwt({ exp: s.at(-2 * MINUTE) })), refused)
    t.equal(s.turns, 1)
  }
})

t.test('a token that has expired is refused by its upstream’s own word where our clock is 6 hours behind', async t => {
  const s = await setUp(t, { off: -6 * HOUR })
  const expired = jwt({ exp: s.at(-2 * MINUTE) })
  t.strictSame(await s.send(jwt({ exp: s.at(HOUR) })), served)
  t.strictSame(await s.send(expired), { status: 401, ours: false }, 'the two clocks do not agree')
  t.strictSame(await s.send(expired), refused)
  t.strictSame([s.turns, s.questions().length], [2, 0], 'nobody had to be asked')
})

t.test('an upstream’s Date that is wrong refuses nothing: only what both clocks say is certain', async t => {
  const date = (ms: number): string => new Date(ms).toUTCString()
  const cases: [string, (now: number) => Record<string, string>, off?: number][] = [
    ['2 h ahead', now => ({ date: date(now + 2 * HOUR) })],
    ['2 h behind', now => ({ date: date(now - 2 * HOUR) })],
    ['0', () => ({ date: '0' })],
    ['1970', () => ({ date: date(0) }), -500_000 * HOUR],
    ['ahead, without a zone', now => ({ date: date(now + 9 * HOUR).replace(' GMT', '') }), 9 * HOUR],
    ['of a cache, with its age', now => ({ date: date(now - 2 * HOUR), age: '7200' }), -2 * HOUR],
    ['two of them', now => ({ date: date(now + 9 * HOUR) + ', x' }), 9 * HOUR]
  ]
  for (const [name, dating, off = 0] of cases) {
    const s = await setUp(t, { off, dating })
    for (let i = 0; i < 2; i++) t.strictSame(await s.send(jwt({ iat: s.at(-HOUR / 6), nbf: s.at(-HOUR / 6), exp: s.at(HOUR) })), served, name)
  }
})

t.test('the time of an answer: its Date in one of HTTP’s three forms, and its Age', t => {
  const imf = 'Thu, 26 Nov 2026 08:09:37 GMT'
  const time = Date.UTC(2026, 10, 26, 8, 9, 37)
  for (const date of [imf, 'Thursday, 26-Nov-26 08:09:37 GMT', 'Thu Nov 26 08:09:37 2026']) t.equal(timeOf(['Date', date]), time, date)
  t.equal(timeOf(['date', 'Sun Nov  1 08:09:37 2026']), Date.UTC(2026, 10, 1, 8, 9, 37))
  t.equal(timeOf(['Date', imf, 'age', '7200']), time + 2 * HOUR)
  for (const date of ['', '0', '2026-11-26T08:09:37Z', 'Thu, 26 Nov 2026 08:09:37', 'Thu, 26 Nov 2026 08:09:37 +0900', 'Fri, 26 Nov 2026 08:09:37 GMT', 'Tue, 31 Nov 2026 08:09:37 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', `${imf}, ${imf}`]) t.equal(timeOf(['Date', date]), undefined, date)
  t.equal(timeOf(['Date', imf, 'Date', imf]), undefined)
  for (const age of ['-1', '1.5', '']) t.equal(timeOf(['Date', imf, 'Age', age]), undefined, `an age that is none: ${age}`)
  t.equal(timeOf(['Date', imf, 'Age', '1', 'Age', '2']), undefined)
  t.equal(timeOf([]), undefined)
  t.end()
})

t.test('a clock that jumps by 3 hours while it runs', async t => {
  const s = await setUp(t, { off: 0 })
  const good = jwt({ exp: s.at(HOUR) })
  const expired = jwt({ exp: s.at(-2 * MINUTE) })
  for (const hours of [0, 3, -3, -3, 3]) {
    s.jump(hours * HOUR)
    t.strictSame(await s.send(good), served, `${hours} hours`)
    t.match(await s.send(expired), { status: 401 }, 'an expired one is refused, by its upstream where our clock is behind')
    s.advance(11_000)
  }
})

t.test('where no Date is to be had, nothing is refused for its time', async t => {
  const s = await setUp(t, { off: 2 * HOUR, dating: 'none' })
  t.strictSame(await s.send(jwt({ exp: s.at(HOUR) })), served)
  t.strictSame(await s.send(jwt({ nbf: s.at(-HOUR), exp: s.at(HOUR) })), served)
  t.equal(s.turns, 2)
})

t.test('an exp that can be no time says nothing: before 2000, after 2100, milliseconds', async t => {
  const s = await setUp(t, { off: 0 })
  for (const exp of [0, 1, 900_000_000, 4_200_000_000, s.at(-HOUR) * 1000, -1]) t.strictSame(await s.send(jwt({ exp })), served, String(exp))
  t.equal(s.questions().length, 0)
})

t.test('the question for the time carries no credential, is asked once for all who wait, and not again within 10 s', async t => {
  const s = await setUp(t, { off: 2 * HOUR, dating: 'held back' })
  const expired = jwt({ exp: s.at(-HOUR) })
  const waiting = Promise.all(Array.from({ length: 10 }, (_, i) => s.send(i % 2 === 0 ? expired : jwt({ exp: s.at(HOUR), jti: i }))))
  await s.until(() => s.heads.length > 0)
  s.heads[0]?.()
  t.equal((await waiting).filter(({ ours }) => ours).length, 5, 'those that have expired')
  const [question, ...others] = s.questions()
  t.strictSame(others, [])
  t.notMatch(question?.rawHeaders.join('\n') ?? '', /authorization|api-key|cookie|eyJ/i)
  t.notMatch(question?.url, /eyJ/)
})

t.test('an upstream that does not say is asked every 10 s at most', async t => {
  const s = await setUp(t, { off: 2 * HOUR, dating: 'none' })
  const good = jwt({ exp: s.at(HOUR) })
  for (let i = 0; i < 5; i++) t.strictSame(await s.send(good), served)
  t.equal(s.questions().length, 1)
  s.advance(10_001)
  await s.send(good)
  t.equal(s.questions().length, 2)
})
