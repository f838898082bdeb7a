import fc from 'fast-check'
import t from 'tap'
import { SKEW } from '../../src/verdict/local/claims.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { Random } from '../fixtures/random.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'
import { AMPLE, answers, games, isHandshake, play, said, TIMES, type Answered, type Event, type Now, type Says, type Setting } from '../fixtures/verdict-play.ts'

// Random interleavings of requests, answers, probes, events in band, clocks, releases and evictions, on the real guard
// and cache. On a failure fast-check prints the seed, the path and the shortest sequence that fails.

fc.configureGlobal({ seed: new Random().seed })

type Answer = Event & Answered
type Refusal = Extract<Event, { is: 'refused' }>
type Pass = Extract<Event, { is: 'passed' }>

const RUNS = 600
/** ms for which a route whose probe says nothing is not asked, at most. */
const PAUSE = 120_000
/** ms that a Date may be old: an answer is not long under way, and it has whole seconds. */
const LATE = 31_000
/** ms by which what is known of an upstream's clock may be off: a Date has whole seconds, and clocks may part a little. */
const UNSURE = 6_000

const answersIn = (history: readonly Event[]): Answer[] => history.filter((event): event is Answer => event.is === 'answered')
const isGood = ({ says, by }: Answer): boolean => says === 'good' && by !== 'event'
/** Whether an answer has dead-token words that count against the token: a refused handshake's never do. */
const isDead = ({ says, by, kind }: Answer): boolean => says === 'dead' && !(by === 'request' && isHandshake(kind))
const byTime = ({ source }: Refusal): boolean => source === 'claims'
const lastGood = (answers: readonly Answer[], fits: (answer: Answer) => boolean = () => true): Answer | undefined => answers.findLast(answer => isGood(answer) && fits(answer))
/** How many of these began after the one before was answered. */
function inTurn (answers: readonly Answer[]): number {
  let [count, last] = [0, -1]
  for (const { begun, at } of answers) if (begun > last) [count, last] = [count + 1, at]
  return count
}
const twoInTurn = (answers: readonly Answer[]): boolean => inTurn(answers) >= 2

/** What speaks against a request: dead-token words about its token, or answers to requests like it. */
function against (answers: readonly Answer[], kind: number): { dead: Answer[], handshake: Answer[], bare: Answer[] } {
  const like = answers.filter(({ by, kind: other }) => by === 'request' && other === kind)
  return { dead: answers.filter(isDead), handshake: like.filter(({ says }) => says === 'dead' && isHandshake(kind)), bare: like.filter(({ says }) => says === 'bare' && !isHandshake(kind)) }
}

interface Seen { readonly history: readonly Event[], readonly now: Now, readonly setting: Setting }

interface Rule { readonly refused?: (refusal: Refusal, seen: Seen) => void, readonly passed?: (pass: Pass, seen: Seen) => void }

/** What holds at each refusal and each pass; each throws where it does not. */
const rules: Readonly<Record<string, Rule>> = {
  'no history of answers leads to a refusal of a request that differs from every rejected one': {
    refused: (refusal, { history }) => {
      if (byTime(refusal)) return
      // One history is of one token on one route.
      const { dead, handshake, bare } = against(answersIn(history), refusal.kind)
      if (dead.length === 0 && handshake.length === 0 && !twoInTurn(bare)) throw new Error('refused by what was said of something else')
    }
  },
  'no less than four 401s without a reason in a row refuse a request, two of them at least to requests like it': {
    refused: (refusal, { history, setting: { entries } }) => {
      const all = answersIn(history)
      const { dead, handshake, bare } = against(all, refusal.kind)
      if (byTime(refusal) || dead.length > 0 || handshake.length > 0) return
      const probes = all.filter(({ by, says }) => by === 'probe' && says === 'bare')
      if (inTurn(bare) < 2 || inTurn(bare) + inTurn(probes) < 4) throw new Error('refused by less')
      const proven = entries === AMPLE && lastGood(all, ({ by }) => by === 'request') !== undefined
      const since = lastGood(all, ({ kind }) => kind === refusal.kind)?.at ?? 0
      if (proven && inTurn(bare.filter(({ at }) => at > since)) < 4) throw new Error('refused by a probe’s, although real requests were good')
    }
  },
  'once a real 2xx is seen for a token, it is not refused by anything that a probe says': {
    refused: (refusal, { history, setting: { entries } }) => {
      const good = lastGood(answersIn(history), ({ by }) => by === 'request')
      if (byTime(refusal) || good === undefined || entries < AMPLE) return
      const real = answersIn(history).filter(({ by }) => by !== 'probe')
      const dead = real.filter(answer => isDead(answer) && answer.begun > good.at)
      const lastLike = real.findLast(({ kind, says }) => kind === refusal.kind && (says === 'dead' || says === 'bare' || says === 'good'))
      if (dead.length === 0 && (lastLike === undefined || lastLike.says === 'good')) throw new Error('refused although it was good')
    }
  },
  'a request like one that was good is refused only by two answers in turn, or by four without a reason': {
    refused: (refusal, { history, setting: { entries } }) => {
      const all = answersIn(history)
      const good = lastGood(all, ({ by, kind }) => by === 'request' && kind === refusal.kind)
      if (byTime(refusal) || good === undefined || entries < AMPLE) return
      const { dead, bare } = against(all.filter(({ begun }) => begun > good.at), refusal.kind)
      if (!twoInTurn(dead) && inTurn(bare) < 4) throw new Error('refused by one answer although it was good')
    }
  },
  'no refusal of a handshake refuses HTTP': {
    refused: (refusal, { history }) => {
      if (byTime(refusal) || isHandshake(refusal.kind)) return
      const { dead, bare } = against(answersIn(history).filter(({ by, kind }) => by !== 'request' || !isHandshake(kind)), refusal.kind)
      if (dead.length === 0 && bare.length === 0) throw new Error('refused by what was said to handshakes')
    }
  },
  'no rejection outlives its time without being asked again': {
    refused: (refusal, { history }) => {
      if (byTime(refusal)) return
      const said = answersIn(history).findLast(({ says }) => says === 'dead' || says === 'bare')?.ms ?? -Infinity
      const asked = history.findLast(({ is }) => is === 'passed' || is === 'asked')?.ms ?? -Infinity
      if (refusal.ms >= said + TIMES.inactiveMax && refusal.ms >= asked + TIMES.asking) throw new Error('refused by an answer that is too old')
    }
  },
  'a token’s times count where its upstream’s clock and this machine’s agree, and no active verdict outlives its own': {
    refused: ({ code, source }, { now: { time, wall, ends, begins } }) => {
      if (source !== 'claims') return
      if (code === 'token_expired' ? wall <= ends + SKEW : wall + SKEW >= begins) throw new Error(`${code}, which it is not by this machine’s own clock`)
      if (code === 'token_expired' ? time <= ends + SKEW : time + SKEW - LATE >= begins) throw new Error(`${code}, which it is not`)
    },
    passed: ({ active, waited, ms }, { history, now: { known, wall, ends, begins } }) => {
      if (waited) return
      if (known !== undefined && (Math.min(known, wall) > ends + SKEW || Math.max(known, wall) + SKEW < begins)) throw new Error('passed outside of its times')
      if (active && ms >= (lastGood(answersIn(history))?.ms ?? -Infinity) + TIMES.active) throw new Error('called good without a success in time')
    }
  },
  'a good token keeps the verified lane until it is refused or evicted': {
    passed: ({ verified, kind }, { history, setting: { entries } }) => {
      const good = lastGood(answersIn(history))
      if (!verified && good !== undefined && entries === AMPLE && !answersIn(history).some(answer => isDead(answer) && answer.begun > good.at)) throw new Error(`unverified although it was good (kind ${kind})`)
      if (verified && good === undefined) throw new Error('verified without a success')
    }
  }
}

/** Throws where an event breaks a rule. */
function judge ({ refused, passed }: Rule, event: Event, seen: Seen): void {
  if (event.is === 'refused') refused?.(event, seen)
  else if (event.is === 'passed') passed?.(event, seen)
}

/** Plays many sequences, the same ones at each call, and tells every event. */
const playMany = (told: (event: Event, seen: Seen) => void): Promise<void> => fc.assert(fc.asyncProperty(games, async ([steps, setting]) => {
  await play(steps, setting, (history, last, now) => { told(last, { history, now, setting }) })
}), { numRuns: RUNS })

t.test('in random sequences', async t => {
  // All rules at once, since most of the time goes into playing; one that is broken is then played for alone, to the shortest sequence.
  const broken = new Set<string>()
  const played = await playMany((event, seen) => {
    for (const [name, rule] of Object.entries(rules)) try { judge(rule, event, seen) } catch { broken.add(name) }
  }).then(() => true, () => false)
  for (const [name, rule] of Object.entries(rules)) {
    t.test(name, async t => {
      if (played && !broken.has(name)) t.pass(`${RUNS} sequences, and the cache is its model`)
      else await t.resolves(playMany((event, seen) => { judge(rule, event, seen) }))
    })
  }
})

t.test('a verdict on one route never changes another route’s', async t => {
  const told = (lines: Awaited<ReturnType<typeof play>>): string[] => [...lines.values()].filter(({ route }) => route === 0)
    .map(({ history }) => JSON.stringify(history, (name, value: unknown) => name === 'at' || name === 'begun' ? undefined : value))
  await t.resolves(fc.assert(fc.asyncProperty(games, async ([steps, setting]) => {
    const ample = { ...setting, entries: AMPLE }
    const both = told(await play(steps, ample))
    const one = told(await play(steps.filter(step => !('route' in step) || step.route === 0), ample))
    if (both.join() !== one.join()) throw new Error('the other route was heard')
  }), { numRuns: RUNS / 2 }))
})

/** Whether a good verdict surely held at a time, as far as its own end allows. */
const held = (good: Answer | undefined, { ms }: Event, now: Now): boolean => good !== undefined && ms < good.ms + TIMES.active && now.time <= now.ends + SKEW - UNSURE

t.test('the sequences reach what they are about', async t => {
  const reached = new Map<string, number>()
  const reach = (what: string, whether = true): void => { reached.set(what, (reached.get(what) ?? 0) + Number(whether)) }
  await fc.assert(fc.asyncProperty(games, async ([steps, setting]) => {
    await play(steps, setting, (history, last, { time, wall, ends }) => {
      const all = answersIn(history)
      const good = lastGood(all)
      const since = all.filter(({ begun }) => begun > (good?.at ?? 0))
      if (last.is === 'refused') {
        const { dead, handshake, bare } = against(since, last.kind)
        reach('refused by its end', last.code === 'token_expired')
        reach('refused by its beginning', last.code === 'token_not_yet_valid')
        if (byTime(last)) return
        reach('refused by a probe', last.source === 'probe')
        reach('refused by an event in band', dead.some(({ by }) => by === 'event'))
        reach('refused by dead-token words, never good', good === undefined && dead.some(({ by }) => by === 'request'))
        reach('refused by dead-token words after a success', good !== undefined && dead.length > 0)
        reach('refused by two in turn, while a good verdict held', good !== undefined && last.ms < good.ms + TIMES.active && twoInTurn(dead))
        reach('refused in another shape than the good one', good !== undefined && dead.length > 1 && good.kind !== last.kind)
        reach('refused after idle time, by two in turn', good !== undefined && last.ms > good.ms + TIMES.active && twoInTurn(dead))
        const unexplained = dead.length === 0 && handshake.length === 0
        reach('refused by four without a reason', unexplained && inTurn(bare) >= 4)
        reach('refused by four without a reason, while a good verdict held', unexplained && inTurn(bare) >= 4 && held(good, last, { time, wall, ends } as Now))
        reach('refused by less than four, and the probe’s', unexplained && inTurn(bare) < 4)
        reach('refused as handshakes are', dead.length === 0 && handshake.length > 0)
      } else if (last.is === 'passed') {
        const { dead, handshake, bare } = against(since, last.kind)
        reach('passed after a good verdict was contradicted', good !== undefined && dead.length > 0)
        reach('passed after one without a reason', dead.length === 0 && bare.length === 1)
        reach('passed after four without a reason, to other requests', dead.length === 0 && inTurn(since.filter(({ says }) => says === 'bare')) >= 4 && bare.length === 0)
        reach('passed as HTTP, handshakes having been refused', !isHandshake(last.kind) && dead.length === 0 && handshake.length === 0 && since.some(({ says }) => says === 'dead'))
        reach('passed after words about the request', since.length > 0 && since.every(({ says }) => says === 'missing scopes' || says === 'something new'))
        reach('passed after its end by this machine’s clock', wall > ends + SKEW && time <= ends + SKEW)
        reach('passed after idle time, verified', last.verified && !last.active)
        reach('passed to ask again', history.at(-2)?.is === 'refused' && dead.length > 0)
        reach('passed after waiting for a probe', last.waited)
        reach('passed after one dead-token word to a handshake', isHandshake(last.kind) && good !== undefined && handshake.length === 1)
      }
    })
  }), { numRuns: RUNS, seed: 4 })
  const few = [...reached].filter(([, times]) => times < 10)
  t.comment(Object.fromEntries(reached))
  t.strictSame(few, [])
})

t.test('N concurrent first uses make one probe, and a client that leaves affects nobody else', async t => {
  const probes = new Map<string, (says: Says) => void>()
  const clock = simulatedClock()
  let turns = 0
  let probed = 0
  let came: (() => void) | undefined
  const upstream = await startUpstream(t, ({ method, headers }, response) => {
    if (method !== 'GET') {
      turns++
      return json(response, 200, {})
    }
    probed++
    probes.set(String(headers.authorization), says => { json(response, ...answers[says]) })
    came?.()
  })
  const { port, app, line } = await startSidecar(t, { upstream: upstream.url, clock, config: { probe: 'first-use' }, lanes: { unverified: 100 } })
  let runs = 0
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), said, async (others, says) => {
    const stays = [...others, true] // by whom the probe's end is seen
    const name = `token-${runs++}`
    probed = turns = 0
    clock.advance(PAUSE)
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
    probes.get(`Bearer ${name}`)?.(says)
    const staying = clients.filter(({ stay }) => stay)
    const answers = await Promise.all(staying.map(({ client }) => client.answer()))
    for (const { client } of staying) client.socket.destroy()
    const expected = says === 'dead' ? 401 : 200
    if (answers.some(({ status }) => status !== expected)) throw new Error(`answers: ${answers.map(({ status }) => status).join()}`)
    if (probed !== 1) throw new Error(`${probed} probes`)
    if (turns !== (says === 'dead' ? 0 : staying.length)) throw new Error(`${turns} requests for ${staying.length} clients`)
  }), { numRuns: 40 }))
})
