import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Clock } from '../../src/clock.ts'
import type { Options, Route } from '../../src/config/options.ts'
import { defaultRoutes } from '../../src/config/routes.ts'
import { createCredentialReader, type Credential } from '../../src/credential/credential.ts'
import { readPerConnection } from '../../src/credential/per-connection.ts'
import { VerdictCache, type Ticket } from '../../src/verdict/cache/cache.ts'
import { createGuard, type Decision } from '../../src/verdict/guard.ts'
import { createClaimsValidator, SKEW } from '../../src/verdict/local/claims.ts'
import type { Inactive, Testimony } from '../../src/verdict/verdict.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

// Random interleavings of requests, answers, races, clocks, releases and evictions. On a failure fast-check prints the
// seed, the path and the shortest sequence that fails.

const START = 1_700_000_000_000
const TIMES = { active: 600_000, inactive: 15_000, inactiveMax: 120_000, asking: 5_000 }
const WINDOW = 30_000
const [chatgpt, , openai] = defaultRoutes({ chatgptUpstream: 'http://a/', openaiUpstream: 'http://a/', anthropicUpstream: 'http://a/' } as Options) as [Route, Route, Route]
const routes = [openai, chatgpt]
const read = createCredentialReader()
/** Two tokens that say when they end, soon and later, and opaque ones. */
const ends = [200, 900, undefined, undefined, undefined, undefined]
const tokens = ends.map((end, i) => end === undefined ? `opaque-${i}` : jwt({ exp: START / 1000 + end }))
const credentials = tokens.map((token): Credential => {
  const presented = read(['Authorization', `Bearer ${token}`], ['authorization'])
  if (presented.kind !== 'credential') throw new Error(presented.kind)
  return presented.credential
})

type Kind = 'accepted' | 'rejected' | 'ambiguous' | 'silent'
type Step =
  | { readonly do: 'request' | 'probe', readonly token: number, readonly route: number }
  /** Answers one of those under way. */
  | { readonly do: 'answer', readonly which: number, readonly kind: Kind }
  | { readonly do: 'wait', readonly ms: number }
  | { readonly do: 'release', readonly token: number | undefined }

const token = fc.nat({ max: tokens.length - 1 })
const route = fc.nat({ max: routes.length - 1 })
const kind = fc.constantFrom<Kind>('accepted', 'rejected', 'ambiguous', 'ambiguous', 'ambiguous', 'silent')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('request' as const), token, route }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('probe' as const), token, route }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat({ max: 9 }), kind }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000, 4_999, 5_000, 14_999, 15_000, 30_000, 30_001, 60_000, 120_000, 600_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), token: fc.option(token, { nil: undefined }) }) }
)
const steps = fc.array(step, { minLength: 1, maxLength: 120, size: 'max' })

/** What happened to one token on one route, in the order of all events. */
type Event =
  | { readonly at: number, readonly ms: number, readonly kind: 'passed', readonly verified: boolean }
  | { readonly at: number, readonly ms: number, readonly kind: 'refused', readonly source: string }
  | { readonly at: number, readonly ms: number, readonly kind: Kind, readonly begun: number, readonly byProbe: boolean }

const rejected = (source: 'upstream' | 'probe'): Inactive => ({ state: 'inactive', reason: 'token_rejected', source, detail: '' })
const deadBody = Buffer.from(JSON.stringify(deadKey))
const statuses = { accepted: 200, rejected: 401, ambiguous: 401, silent: 500 }

/** Runs the steps on the real guard and cache, and tells what happened, refusal by refusal. */
function play (sequence: readonly Step[], entries: number, seen: (history: readonly Event[], last: Event, wall: number, token: number) => void): void {
  let [ms, at] = [1, 0]
  const clock: Clock = { monotonic: () => ms, wall: () => START + ms }
  const cache = new VerdictCache({ entries, ...TIMES, clock })
  const guard = createGuard({ read: readPerConnection(read), cache, local: [createClaimsValidator(clock)], remote: [] })
  const histories = new Map<string, Event[]>()
  const pending: ((kind: Kind) => void)[] = []
  const note = (key: string, event: Event, token: number): void => {
    const history = histories.get(key) ?? []
    histories.set(key, history)
    history.push(event)
    seen(history, event, START + ms, token)
  }
  for (const one of sequence) {
    if (one.do === 'wait') ms += one.ms
    else if (one.do === 'release') cache.release(one.token === undefined ? undefined : String(credentials[one.token]))
    else if (one.do === 'answer') pending.splice(one.which % Math.max(1, pending.length), 1)[0]?.(one.kind)
    else {
      const key = `${one.token} ${one.route}`
      const begun = ++at
      const route = routes[one.route] as Route
      const answered = (kind: Kind, byProbe: boolean): void => { note(key, { at: ++at, ms, kind, begun, byProbe }, one.token) }
      if (one.do === 'probe') {
        const ticket = cache.ticket(credentials[one.token] as Credential, route)
        pending.push(kind => {
          if (kind === 'accepted') cache.learn(ticket, { kind, source: 'probe' })
          else if (kind === 'rejected') cache.learn(ticket, { kind, verdict: rejected('probe') })
          answered(kind, true)
        })
        continue
      }
      const { refusal, lane, source = '', learn } = guard({ route, raw: ['Authorization', `Bearer ${String(tokens[one.token])}`] }) as Decision
      if (refusal !== undefined) note(key, { at: begun, ms, kind: 'refused', source }, one.token)
      else {
        note(key, { at: begun, ms, kind: 'passed', verified: lane === 'verified' }, one.token)
        pending.push(kind => {
          learn(statuses[kind], [], kind === 'rejected' ? deadBody : Buffer.alloc(0))
          answered(kind, false)
        })
      }
    }
  }
}

type Answered = Extract<Event, { begun: number }>
const answersIn = (history: readonly Event[]): Answered[] => history.filter(event => 'begun' in event)
const lastSuccess = (history: readonly Event[]): Answered | undefined => answersIn(history).findLast(({ kind }) => kind === 'accepted')
/** Two requests answered with 401 and no reason, the second one begun after the first answer and within 30 s of it. */
function twoAmbiguous (answers: readonly Answered[]): Answered | undefined {
  const ambiguous = answers.filter(({ kind, byProbe }) => kind === 'ambiguous' && !byProbe)
  return ambiguous.findLast(second => ambiguous.some(first => second.begun > first.at && second.ms - first.ms <= WINDOW &&
    !answers.some(({ kind, at }) => kind === 'accepted' && at > first.at && at < second.at)))
}

const check = (t: Test, property: fc.IProperty<unknown>, numRuns = 2_000): void => {
  t.doesNotThrow(() => { fc.assert(property, { numRuns }) }, `${numRuns} sequences`)
}
/** A few places for many tokens, so that most things are pushed out, or places for all. */
const entries = fc.constantFrom(1, 2, 3, 100)

t.test('the sequences reach what they are about', async t => {
  const reached = new Map<string, number>()
  fc.assert(fc.property(steps, entries, (sequence, entries) => {
    play(sequence, entries, (history, last) => {
      const answers = answersIn(history)
      const what = last.kind !== 'refused' ? last.kind
        : last.source === 'claims' ? 'refused by its end'
          : lastSuccess(history) !== undefined ? 'refused after a success'
            : answers.some(({ kind }) => kind === 'rejected') ? 'refused by a rejection' : 'refused by two 401s without a reason'
      reached.set(what, (reached.get(what) ?? 0) + 1)
    })
  }), { numRuns: 1_000, seed: 4 })
  t.comment([...reached])
  for (const what of ['refused by its end', 'refused after a success', 'refused by a rejection', 'refused by two 401s without a reason']) t.ok((reached.get(what) ?? 0) > 10, what)
})

t.test('no sequence without a certain local reason, a definitive 401 or two ambiguous ones ever yields a 401', async t => {
  check(t, fc.property(steps, entries, (sequence, entries) => {
    play(sequence, entries, (history, last, wall, token) => {
      if (last.kind !== 'refused') return
      const answers = answersIn(history)
      const end = ends[token]
      if (last.source === 'claims') {
        if (end === undefined || wall <= START + end * 1000 + SKEW) throw new Error('refused by its end, which is not reached')
      } else if (!answers.some(({ kind }) => kind === 'rejected') && twoAmbiguous(answers) === undefined) throw new Error('refused without a certain reason')
    })
  }))
})

t.test('once any 2xx is seen for a token on a route, it is not refused on that route until a newer certain reason comes', async t => {
  check(t, fc.property(steps, entries, (sequence, entries) => {
    play(sequence, entries, (history, last) => {
      const good = lastSuccess(history)
      if (last.kind !== 'refused' || last.source === 'claims' || good === undefined) return
      const newer = answersIn(history).filter(({ begun }) => begun > good.at)
      if (newer.some(({ kind }) => kind === 'rejected')) return
      const two = twoAmbiguous(newer)
      if (two === undefined) throw new Error('refused although it was good')
      if (entries === 100 && two.ms < good.ms + TIMES.active) throw new Error('refused without a reason while a good verdict held')
    })
  }))
})

t.test('no active verdict outlives exp and skew, nor its own time', async t => {
  check(t, fc.property(steps, entries, (sequence, entries) => {
    play(sequence, entries, (history, last, wall, token) => {
      if (last.kind !== 'passed') return
      const end = ends[token]
      if (end !== undefined && wall > START + end * 1000 + SKEW) throw new Error('passed after its end')
      const good = lastSuccess(history)
      if (last.verified && (good === undefined || last.ms >= good.ms + TIMES.active)) throw new Error('verified without a success in time')
    })
  }))
})

t.test('no inactive verdict outlives its time without being asked again', async t => {
  check(t, fc.property(steps, entries, (sequence, entries) => {
    play(sequence, entries, (history, last) => {
      if (last.kind !== 'refused' || last.source === 'claims') return
      const said = answersIn(history).findLast(({ kind }) => kind === 'rejected' || kind === 'ambiguous')?.ms ?? -Infinity
      const asked = history.findLast(({ kind }) => kind === 'passed')?.ms ?? -Infinity
      if (last.ms >= said + TIMES.inactiveMax && last.ms >= asked + TIMES.asking) throw new Error('refused by an answer that is too old')
    })
  }))
})

t.test('a verdict on one route never changes another route’s', async t => {
  const looks = (sequence: readonly Step[], both: boolean): string[] => {
    let ms = 1
    const clock: Clock = { monotonic: () => ms, wall: () => START + ms }
    const cache = new VerdictCache({ entries: 100, ...TIMES, clock, random: () => 0 })
    const found: string[] = []
    const pending: { ticket: Ticket | undefined }[] = []
    for (const one of sequence) {
      if (one.do === 'wait') ms += one.ms
      else if (one.do === 'release') cache.release(one.token === undefined ? undefined : String(credentials[one.token]))
      else if (one.do === 'answer') {
        const [{ ticket } = { ticket: undefined }] = pending.splice(one.which % Math.max(1, pending.length), 1)
        const { kind } = one
        const testimony: Testimony = kind === 'accepted' ? { kind, source: 'upstream' } : kind === 'rejected' ? { kind, verdict: rejected('upstream') } : { kind }
        if (ticket !== undefined) cache.learn(ticket, testimony)
      } else if (both || one.route === 0) {
        const ticket = cache.ticket(credentials[one.token] as Credential, routes[one.route] as Route)
        const look = cache.look(ticket)
        if (one.route === 0) found.push(`${look.verdict?.state} ${look.ask}`)
        pending.push({ ticket })
      } else pending.push({ ticket: undefined })
    }
    return found
  }
  check(t, fc.property(steps, sequence => {
    if (looks(sequence, true).join() !== looks(sequence, false).join()) throw new Error('the other route was heard')
  }))
})

/** The rules of design.md section 3 for one token on one route, with a memory for everything. */
class Model {
  good: { at: number, until: number } | undefined
  bad: { at: number, until: number, hold: number, asked: number, by: number } | undefined
  first: { at: number, ms: number } | undefined
  released = 0

  look (order: number, ms: number, expires: number): string {
    const suspect = this.first !== undefined && ms <= this.first.ms + WINDOW
    if (!suspect && this.good !== undefined && ms < this.good.until && START + ms < expires) return 'active'
    if (this.bad === undefined) return suspect ? 'suspect' : 'unknown'
    if (ms < this.bad.until || ms < this.bad.asked + TIMES.asking) return 'inactive'
    Object.assign(this.bad, { asked: ms, by: order })
    return 'unknown'
  }

  learn (kind: Kind, order: number, at: number, ms: number, expires: number): void {
    if (kind === 'accepted') {
      this.good = { at, until: ms + Math.min(TIMES.active, expires - START - ms) }
      this.bad = this.first = undefined
      return
    }
    if (kind !== 'silent' && order < Math.max(this.good?.at ?? 0, this.released)) return
    if (kind === 'rejected') return this.reject(order, at, ms)
    if (this.bad !== undefined && ms >= this.bad.until && order >= this.bad.by) this.bad = undefined
    if (kind === 'silent' || this.bad !== undefined) return
    if (this.first === undefined || ms > this.first.ms + WINDOW) this.first = { at, ms }
    else if (order > this.first.at && (this.good === undefined || ms >= this.good.until)) this.reject(order, at, ms)
  }

  reject (order: number, at: number, ms: number): void {
    if (this.bad !== undefined && order < this.bad.at) return
    const hold = this.bad === undefined ? TIMES.inactive : Math.min(TIMES.inactiveMax, this.bad.hold * 2)
    this.bad = { at, until: ms + hold, hold, asked: -Infinity, by: Infinity }
    this.good = this.first = undefined
  }

  release (at: number): void {
    this.bad = this.first = undefined
    this.released = at
  }
}

t.test('the cache is its model', async t => {
  check(t, fc.property(steps, sequence => {
    let [ms, at] = [1, 0]
    const clock: Clock = { monotonic: () => ms, wall: () => START + ms }
    const cache = new VerdictCache({ entries: 100, ...TIMES, clock })
    const models = tokens.map(() => routes.map(() => new Model()))
    const pending: ((kind: Kind) => void)[] = []
    for (const one of sequence) {
      if (one.do === 'wait') ms += one.ms
      else if (one.do === 'answer') pending.splice(one.which % Math.max(1, pending.length), 1)[0]?.(one.kind)
      else if (one.do === 'release') {
        at++
        cache.release(one.token === undefined ? undefined : String(credentials[one.token]))
        models.forEach((ofToken, token) => {
          // What is under way is older than the word, for whomever it was.
          for (const model of ofToken) if (one.token === undefined || token === one.token) model.release(at); else model.released = at
        })
      } else {
        const ticket = cache.ticket(credentials[one.token] as Credential, routes[one.route] as Route)
        const model = models[one.token]?.[one.route] as Model
        const order = ++at
        const { verdict, ask } = cache.look(ticket)
        const found = verdict?.state ?? (ask === 'beside' ? 'suspect' : 'unknown')
        const expected = model.look(order, ms, ticket.expires)
        if (found !== expected) throw new Error(`${found} instead of ${expected}`)
        pending.push(kind => {
          cache.learn(ticket, kind === 'accepted' ? { kind, source: 'upstream' } : kind === 'rejected' ? { kind, verdict: rejected('upstream') } : { kind })
          model.learn(kind, order, ++at, ms, ticket.expires)
        })
      }
    }
  }))
})

t.test('N concurrent first uses make one probe, and a client that leaves affects nobody else', async t => {
  const probes = new Map<string, (kind: Kind) => void>()
  let turns = 0
  let probed = 0
  let came: (() => void) | undefined
  const upstream = await startUpstream(t, ({ method, headers }, response) => {
    if (method !== 'GET') {
      turns++
      return json(response, 200, {})
    }
    probed++
    probes.set(String(headers.authorization), kind => { json(response, statuses[kind], kind === 'rejected' ? deadKey : {}) })
    came?.()
  })
  const { port, app, line } = await startSidecar(t, { upstream: upstream.url, config: { probe: 'first-use' }, lanes: { unverified: 100 } })
  let runs = 0
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), kind, async (stays, kind) => {
    const name = `token-${runs++}`
    probed = turns = 0
    const arrived = new Promise<void>(resolve => { came = resolve })
    let requests = 0
    const all = new Promise<void>(resolve => {
      const count = (): void => { if (++requests === stays.length) { app.server.off('request', count); resolve() } }
      app.server.on('request', count)
    })
    const clients = stays.map((stay, i) => {
      const client = new RawClient(t, port)
      client.write(`POST /v1/${name}-${i} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${name}\r\nContent-Length: 2\r\n\r\n{}`)
      return { client, stay, path: `/v1/${name}-${i}` }
    })
    await Promise.all([arrived, all])
    for (const { client, stay, path } of clients) {
      if (stay) continue
      client.socket.destroy()
      await line(one => one['path'] === path)
    }
    probes.get(`Bearer ${name}`)?.(kind)
    const staying = clients.filter(({ stay }) => stay)
    const answers = await Promise.all(staying.map(({ client }) => client.answer()))
    for (const { client } of staying) client.socket.destroy()
    const expected = kind === 'rejected' ? 401 : 200
    if (answers.some(({ status }) => status !== expected)) throw new Error(`answers: ${answers.map(({ status }) => status).join()}`)
    if (probed !== 1) throw new Error(`${probed} probes`)
    if (turns !== (kind === 'rejected' ? 0 : staying.length)) throw new Error(`${turns} requests for ${staying.length} clients`)
  }), { numRuns: 60 }))
})
