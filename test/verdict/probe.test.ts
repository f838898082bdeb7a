import type { IncomingMessage, ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { simulatedClock } from '../fixtures/clock.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { routeTo } from '../fixtures/route.ts'
import { startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const models: Answer = (_request, response) => { json(response, 200, { data: [] }) }
const turn: Answer = (_request, response) => { json(response, 200, { ok: true }) }
const dead: Answer = (_request, response) => { json(response, 401, deadKey) }
const unclear: Answer = (_request, response) => { json(response, 401, { detail: 'Unauthorized' }) }

/** ms: long enough on a busy machine, for probes that are answered when the test says so. */
const PATIENCE = 60_000

/** An upstream that tells probes from turns, and the sidecar before it. What it does can be changed as it runs. */
async function setUp (t: Test, does: { probe?: Answer, turn?: Answer } = {}, options: Omit<SidecarOptions, 'upstream'> = {}) {
  const now = { probe: models, turn, ...does }
  const clock = simulatedClock()
  const upstream = await startUpstream(t, (request, response) => { (request.method === 'GET' ? now.probe : now.turn)(request, response) })
  upstream.server.keepAliveTimeout = PATIENCE // on a busy machine it would close what is just being used
  const sidecar = await startSidecar(t, { upstream: upstream.url, clock, ...options, config: { probe: 'first-use', ...options.config }, times: { probe: PATIENCE, ...options.times } })
  const ask = async (token = 'new', method: 'POST' | 'OPTIONS' | 'HEAD' = 'POST', path = '/v1/responses') => {
    const { statusCode, headers, body } = await request(`${sidecar.url}${path}`, { method, body: method === 'POST' ? '{}' : null, headers: bearer(token) })
    const text = await body.text()
    return { status: statusCode, ours: headers['proxy-status'] !== undefined, text }
  }
  const count = (method: string): number => upstream.seen.filter(seen => seen.method === method).length
  return {
    ...sidecar, upstream, now, clock, ask,
    get probes () { return count('GET') },
    get turns () { return count('POST') },
    /** The log line of the last request on a route. */
    last: () => sidecar.lines().filter(({ route }) => route !== undefined).at(-1),
    metric: async (text: string) => {
      const page = await (await request(`${sidecar.url}/metrics`)).body.text()
      return Number(page.split('\n').find(line => line.startsWith(text))?.split(' ').at(-1) ?? 0)
    },
    /** Waits for a metric to reach a value, as background work does in its own time. */
    async until (holds: () => boolean | Promise<boolean>) { while (!await holds()) await new Promise(resolve => setImmediate(resolve)) }
  }
}

/** A probe answer that is held back, and the word when a probe came. */
function held (answer: Answer) {
  let came: (() => void) | undefined
  let release: (() => void) | undefined
  const arrived = new Promise<void>(resolve => { came = resolve })
  const probe: Answer = (request, response) => {
    release = () => { answer(request, response) }
    came?.()
  }
  return { probe, arrived, release: () => { release?.() } }
}

t.test('a dead new token: one probe, no request, and then nothing for as long as the verdict holds', async t => {
  const s = await setUp(t, { probe: dead })
  for (let i = 0; i < 5; i++) {
    const { status, text } = await s.ask()
    t.equal(status, 401)
    t.match(text, /"code":"token_rejected"/)
  }
  t.strictSame([s.probes, s.turns], [1, 0])
  t.match(s.last(), { source: 'probe', code: 'token_rejected' })
})

t.test('a good new token: one probe, then its requests go in the verified lane', async t => {
  const s = await setUp(t)
  for (let i = 0; i < 3; i++) t.equal((await s.ask()).status, 200)
  t.strictSame([s.probes, s.turns], [1, 3])
  t.strictSame(s.lines().filter(({ method }) => method === 'POST').map(({ lane, source }) => [lane, source]), [['verified', 'probe'], ['verified', 'upstream'], ['verified', 'upstream']])
})

t.test('a probe is a GET with all that its client says of who asks, and nothing of its one request', async t => {
  const s = await setUp(t)
  const cases: [path: string, headers: Record<string, string>, url: string, carries: string[]][] = [
    ['/v1/responses', { ...bearer('a'), 'openai-organization': 'o', 'user-agent': 'ua', cookie: 'c', 'x-client-request-id': 'x', 'content-type': 'application/json', range: 'bytes=0-1', 'if-none-match': 'a', traceparent: '00', 'session-id': 's', 'x-codex-turn-metadata': 'm', 'idempotency-key': 'i', 'x-gateway-key': 'g', 'helicone-auth': 'h', 'cf-access-client-secret': 's' }, '/v1/models', ['authorization', 'openai-organization', 'user-agent', 'cookie', 'x-gateway-key', 'helicone-auth', 'cf-access-client-secret']],
    ['/v1/messages', { 'x-api-key': 'b', 'anthropic-version': '2023-06-01', connection: 'anthropic-beta', 'anthropic-beta': 'hop' }, '/v1/models', ['x-api-key', 'anthropic-version', 'anthropic-beta']],
    ['/backend-api/codex/responses', { ...bearer('c'), 'chatgpt-account-id': 'acct', originator: 'codex', version: '1.2.3' }, '/backend-api/codex/models?client_version=1.2.3', ['authorization', 'chatgpt-account-id', 'originator', 'version']],
    ['/backend-api/codex/responses', { ...bearer('d'), version: '1&x=y' }, '/backend-api/codex/models?client_version=0.169.0', ['authorization', 'version']],
    ['/backend-api/codex/responses', bearer('e'), '/backend-api/codex/models?client_version=0.169.0', ['authorization']]
  ]
  for (const [path, headers, url, carries] of cases) {
    const before = s.upstream.seen.length
    const { connection, ...others } = headers
    const client = new RawClient(t, s.port)
    client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\n${Object.entries({ ...others, ...connection === undefined ? {} : { connection } }).map(([n, v]) => `${n}: ${v}\r\n`).join('')}Content-Length: 2\r\n\r\n{}`)
    t.equal((await client.answer()).status, 200)
    const [probe, real] = s.upstream.seen.slice(before)
    t.match([probe?.method, probe?.url], ['GET', url])
    t.strictSame(Object.keys(probe?.headers ?? {}).sort(), [...carries, 'accept', 'connection', 'host'].sort(), path)
    t.equal(probe?.headers.authorization, real?.headers.authorization)
  }
})

t.test('routes: an own mode, an own path, or none', async t => {
  const upstream = await startUpstream(t, models)
  const { url } = await startSidecar(t, {
    upstream: upstream.url,
    config: {
      probe: 'first-use',
      routes: [
        routeTo({ prefix: '/none', upstream: upstream.url }),
        routeTo({ prefix: '/off', upstream: upstream.url, probePath: '/me', probe: 'off' }),
        routeTo({ prefix: '/own', upstream: upstream.url, probePath: '/me?v={version}' })
      ]
    }
  })
  for (const path of ['none', 'off', 'own']) await (await request(`${url}/${path}/x`, { headers: bearer('a') })).body.dump()
  t.strictSame(upstream.seen.map(seen => seen.url), ['/x', '/x', '/me?v=0.169.0', '/x'])
})

t.test('background: the first request does not wait, and the probe’s word counts for the next', async t => {
  const { probe, arrived, release } = held(dead)
  const s = await setUp(t, { probe, turn: unclear }, { config: { probe: 'background' } })
  t.equal((await s.ask()).ours, false, 'it is answered by the upstream while the probe has no answer')
  await arrived
  t.match(s.last(), { lane: 'unverified' })
  release()
  await s.until(async () => await s.metric('codex_sidecar_probes_total{route="/v1",outcome="inactive"}') === 1)
  t.match(await s.ask(), { status: 401, ours: true })
  t.strictSame([s.probes, s.turns], [1, 1])
})

t.test('whatever else a probe gets, the request is forwarded', async t => {
  const html = (status: number): Answer => (_request, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<html>')
  const cases: Record<string, Answer> = {
    'a reset': ({ socket }) => socket.resetAndDestroy(),
    'no HTTP': ({ socket }) => socket.end('SSH-2.0-x\r\n'),
    'a hang': () => {},
    'a 401 whose body comes in drops': (_request, response) => { response.writeHead(401, { 'content-length': 500 }).write('{') },
    'a 401 whose body breaks off': (_request, response) => { response.writeHead(401, { 'content-length': 500 }).write('{', () => response.destroy()) },
    'a 401 whose body is endless': (_request, response) => { response.writeHead(401).end(Buffer.alloc(100_000, ' ')) },
    'a 401 without a reason': unclear,
    'a 401 in HTML': html(401),
    'a 403 in HTML': html(403),
    'a 404': (_request, response) => { json(response, 404, deadKey) },
    'a 429': (_request, response) => { json(response, 429, deadKey) },
    'a 500': (_request, response) => { json(response, 500, deadKey) },
    'a 500 whose body hangs': (_request, response) => { response.writeHead(500, { 'content-length': 500 }).write('{') },
    'a redirect to a 2xx': ({ url }, response) => { response.writeHead(302, { location: `${url ?? ''}?again` }).end() }
  }
  for (const [name, probe] of Object.entries(cases)) {
    await t.test(name, async t => {
      const s = await setUp(t, { probe }, { times: { probe: 150 } })
      t.match(await s.ask(), { status: 200, ours: false })
      t.match(s.last(), { lane: 'unverified', source: undefined })
      t.strictSame([s.probes, s.turns], [1, 1])
    })
  }
})

/** `total` requests at once over `sockets` connections, with one token; the statuses of their answers. */
async function burst (t: Test, port: number, total: number, sockets: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const each = total / sockets
  await Promise.all(Array.from({ length: sockets }, async () => {
    const client = new RawClient(t, port)
    client.write('POST /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer new\r\nContent-Length: 2\r\n\r\n{}'.repeat(each))
    for (let i = 0; i < each; i++) {
      const { status } = await client.answer()
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    client.socket.destroy()
  }))
  return statuses
}

t.test('4,000 requests at once with one new token make one probe', async t => {
  for (const [name, verdict] of [['dead', dead], ['good', models]] as const) {
    await t.test(`${name}: all are answered`, async t => {
      const { probe, release } = held(verdict)
      const s = await setUp(t, { probe }, { logLevel: 'silent' })
      let came = 0
      s.app.server.on('request', () => { if (++came === 4_000) release() })
      const statuses = await burst(t, s.port, 4_000, 100)
      t.comment([...statuses])
      if (name === 'dead') t.strictSame([...statuses], [[401, 4_000]])
      else {
        t.equal((statuses.get(200) ?? 0) + (statuses.get(503) ?? 0), 4_000)
        t.equal(statuses.get(200), s.turns, 'what has a place in the lane is forwarded, the rest is told to come again')
        t.ok(s.turns >= 512)
      }
      t.equal(s.probes, 1)
    })
  }
  await t.test('the probe hangs: all are forwarded after its deadline', async t => {
    const s = await setUp(t, { probe: () => {} }, { times: { probe: 1_000 }, lanes: { unverified: 10_000 }, logLevel: 'silent' })
    t.strictSame([...await burst(t, s.port, 2_000, 100)], [[200, 2_000]])
    t.strictSame([s.probes, s.turns], [1, 2_000])
  })
})

t.test('a client that leaves while it waits affects nobody else, and its request does not go up', async t => {
  const { probe, arrived, release } = held(models)
  const s = await setUp(t, { probe })
  const leaver = new RawClient(t, s.port)
  leaver.write('POST /v1/leaver HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer new\r\nContent-Length: 0\r\n\r\n')
  await arrived
  const others = Array.from({ length: 3 }, () => s.ask())
  leaver.socket.destroy()
  t.match(await s.line(({ path }) => path === '/v1/leaver'), { ending: 'client_gone', status: 499 })
  release()
  t.strictSame((await Promise.all(others)).map(({ status }) => status), [200, 200, 200])
  t.strictSame([s.probes, s.turns], [1, 3])
})

t.test('a request that waits when the shutdown begins is answered', async t => {
  const { probe, arrived, release } = held(models)
  const s = await setUp(t, { probe })
  const waiting = s.ask()
  await arrived
  const closed = s.app.close()
  release()
  t.match(await waiting, { status: 503, text: /"code":"draining"/ })
  await closed
  t.equal(s.turns, 0)
})

t.test('bounds: five probes at once on a route, one for a token in 15 s, and so many who wait', async t => {
  const releases: (() => void)[] = []
  const probe: Answer = (_request, response) => { releases.push(() => { json(response, 403, {}) }) }
  const s = await setUp(t, { probe }, { limits: { waiting: 6 } })
  const waiting = ['a', 'b', 'c', 'd', 'e'].map(token => s.ask(token))
  await s.until(() => s.probes === 5)
  t.match(await s.ask('f'), { status: 200, ours: false }, 'the sixth token does not wait')
  waiting.push(s.ask('a'))
  await s.until(async () => await s.metric('codex_sidecar_verdict_lookups_total{route="/v1",found="unknown"}') === 7)
  t.match(await s.ask('a'), { status: 200, ours: false }, 'nor does the seventh request')
  t.equal(s.turns, 2)
  for (const release of releases) release()
  t.strictSame((await Promise.all(waiting)).map(({ status }) => status), Array.from({ length: 6 }, () => 200))
  t.equal(s.probes, 5)
  t.equal(await s.metric('codex_sidecar_probes_total{route="/v1",outcome="skipped"}'), 1)
  t.equal(await s.metric('codex_sidecar_probes_total{route="/v1",outcome="silent"}'), 5)
  await s.until(async () => await s.metric('codex_sidecar_lane_in_flight{route="/v1",lane="probe"}') === 0)

  const again = await setUp(t, { turn: (_request, response) => { json(response, 500, {}) }, probe: (_request, response) => { json(response, 403, {}) } })
  for (const ms of [0, 14_999, 3_002, 14_999]) {
    again.clock.advance(ms)
    await again.ask()
  }
  t.equal(again.probes, 2)
})

t.test('a good verdict is renewed in the background before it ends, and a failed renewal changes nothing', async t => {
  const s = await setUp(t, {}, { times: { active: 100_000 } })
  await s.ask()
  const renewals = (outcome: string) => s.metric(`codex_sidecar_probes_total{route="/v1",outcome="${outcome}"}`)
  s.now.probe = (_request, response) => { json(response, 500, {}) }
  s.now.turn = (_request, response) => { json(response, 429, {}) }
  s.clock.advance(79_999)
  await s.ask()
  t.equal(s.probes, 1, 'not before 80 % of its time')
  s.clock.advance(10_002)
  await s.ask()
  await s.until(async () => await renewals('silent') === 1)
  t.match(s.last(), { lane: 'verified' })
  s.clock.advance(9_998)
  await s.ask()
  t.match(s.last(), { lane: 'verified' }, 'to its own end')
  s.clock.advance(10_000)
  await s.ask()
  t.match(s.last(), { lane: 'verified', source: undefined }, 'beyond it there is no verdict any more, but its lane')
  await s.until(async () => await renewals('silent') === 2)

  await t.test('a renewal that says the token is dead says nothing against real requests', async t => {
    const s = await setUp(t, {}, { times: { active: 100_000 } })
    await s.ask()
    s.clock.advance(95_000)
    Object.assign(s.now, { probe: dead, turn: (_request: IncomingMessage, response: ServerResponse) => { json(response, 429, {}) } })
    t.equal((await s.ask()).status, 429)
    await s.until(async () => await s.metric('codex_sidecar_probes_total{route="/v1",outcome="inactive"}') === 1)
    t.match(await s.ask(), { status: 429 })
  })
  await t.test('a renewal that says it is good', async t => {
    const s = await setUp(t, {}, { times: { active: 100_000 } })
    await s.ask()
    s.now.turn = (_request, response) => { json(response, 429, {}) }
    s.clock.advance(95_000)
    await s.ask()
    await s.until(async () => await s.metric('codex_sidecar_probes_total{route="/v1",outcome="active"}') === 2)
    s.clock.advance(70_000)
    await s.ask()
    t.match(s.last(), { lane: 'verified', source: 'probe' })
    t.equal(s.probes, 2)
  })
})

t.test('a token that comes back to life is accepted within one inactive time: one asks, the others keep the answer', async t => {
  const s = await setUp(t, { probe: dead, turn: dead })
  t.equal((await s.ask()).status, 401)
  s.clock.advance(18_000)
  const { probe: turn, arrived, release } = held(models)
  Object.assign(s.now, { probe: models, turn })
  const asker = s.ask()
  await arrived
  for (let i = 0; i < 20; i++) t.equal((await s.ask()).status, 401)
  t.strictSame([s.probes, s.turns], [1, 1], 'one request asks again: a probe’s word counts once')
  release()
  t.equal((await asker).status, 200)
  s.now.turn = models
  t.equal((await s.ask()).status, 200)
  t.strictSame([s.probes, s.turns], [1, 2])
  t.equal(await s.metric('codex_sidecar_false_negatives_total{route="/v1"}'), 1, 'the metric shows that it was refused until then')
  await s.ask()
  t.equal(await s.metric('codex_sidecar_false_negatives_total{route="/v1"}'), 1, 'once')

  await t.test('without a probe, its own request asks', async t => {
    const { probe: turn, arrived, release } = held(models)
    const s = await setUp(t, { turn: dead }, { config: { probe: 'off' } })
    t.equal((await s.ask()).status, 401)
    s.clock.advance(15_000)
    s.now.turn = turn
    const asker = s.ask()
    await arrived
    for (let i = 0; i < 20; i++) t.match(await s.ask(), { status: 401, ours: true })
    release()
    t.equal((await asker).status, 200)
    t.strictSame([s.probes, s.turns], [0, 2])
  })
  await t.test('an asker that leaves lets another one ask', async t => {
    const { probe: turn, arrived } = held(models)
    const s = await setUp(t, { turn: dead }, { config: { probe: 'off' } })
    t.equal((await s.ask()).status, 401)
    s.clock.advance(15_000)
    s.now.turn = turn
    const asker = new RawClient(t, s.port)
    asker.write('POST /v1/leaver HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer new\r\nContent-Length: 0\r\n\r\n')
    await arrived
    asker.socket.destroy()
    await s.line(({ path }) => path === '/v1/leaver')
    s.now.turn = models
    await s.until(async () => (await s.ask()).status === 200)
    t.pass('it is accepted without any more time')
  })
})

t.test('DELETE takes back what is held against a token, or against all', async t => {
  const s = await setUp(t, { probe: dead, turn: dead })
  for (const token of ['a', 'b']) t.equal((await s.ask(token)).status, 401)
  const release = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, body } = await request(`${s.url}/status/verdicts${path}`, { method: 'DELETE', headers })
    return { status: statusCode, body: await body.json() }
  }
  t.match(await release('', { origin: 'https://evil.test' }), { status: 403 })
  t.match(await release('', { host: 'evil.test' }), { status: 403 })
  t.match(await release('/a'), { status: 400, body: { error: { code: 'invalid_request' } } })
  t.match(await release('/00000000'), { status: 200, body: { released: 0 } })
  Object.assign(s.now, { probe: models, turn })
  t.equal((await s.ask('a')).status, 401)
  const { token = '' } = s.last() as { token?: string }
  t.match(await release(`/${token}`), { status: 200, body: { released: 1 } })
  t.equal((await s.ask('a')).status, 200, 'at once')
  t.equal((await s.ask('b')).status, 401, 'and only this one')
  t.match(await release(''), { status: 200, body: { released: 1 } })
  t.equal((await s.ask('b')).status, 200)
})

t.test('a 401 without a reason makes a token suspect, and the probe clears it', async t => {
  const s = await setUp(t)
  await s.ask()
  s.now.turn = unclear
  s.clock.advance(20_000)
  const { probe, arrived, release } = held(models)
  s.now.probe = probe
  t.match(await s.ask(), { status: 401, ours: false })
  await arrived
  s.now.turn = (_request, response) => { json(response, 429, {}) }
  await s.ask()
  t.match(s.last(), { lane: 'verified' }, 'its requests go on where they did')
  release()
  await s.until(async () => await s.metric('codex_sidecar_probes_total{route="/v1",outcome="active"}') === 2)
  await s.ask()
  t.match(s.last(), { lane: 'verified' }, 'cleared')
  t.equal(await s.metric('codex_sidecar_suspicions_total{route="/v1"}'), 1)

  await t.test('the probe’s word is never its end while a real request was good', async t => {
    const s = await setUp(t)
    await s.ask()
    Object.assign(s.now, { probe: dead, turn: unclear })
    s.clock.advance(20_000)
    t.match(await s.ask(), { status: 401, ours: false })
    await s.until(async () => await s.metric('codex_sidecar_probes_total{route="/v1",outcome="inactive"}') === 1)
    t.match(await s.ask(), { status: 401, ours: false })
  })
  await t.test('a probe’s 401s without a reason are two of the four that refuse a request', async t => {
    const s = await setUp(t, { probe: unclear, turn: unclear })
    t.match(await s.ask(), { status: 401, ours: false })
    t.match(await s.ask(), { status: 401, ours: false })
    t.match(await s.ask(), { status: 401, ours: true, text: /with 401 again and again, without saying why/ }, 'two are requests of its own')
    t.strictSame([s.probes, s.turns], [2, 2])
    s.clock.advance(15_000)
    t.match(await s.ask(), { ours: false }, 'for a short time')
  })
})

t.test('a 2xx to OPTIONS says nothing about the token, one to HEAD does', async t => {
  const s = await setUp(t, {}, { config: { probe: 'off' } })
  for (const [method, lane] of [['OPTIONS', 'unverified'], ['HEAD', 'unverified'], ['POST', 'verified']] as const) {
    t.equal((await s.ask('new', method)).status, 200)
    t.match(s.last(), { method, lane })
  }
})

t.test('a refreshed login is never refused', async t => {
  const [old, fresh] = [jwt({ jti: '1' }), jwt({ jti: '2' })]
  const answer: Answer = (request, response) => { (request.headers.authorization === `Bearer ${old}` ? dead : turn)(request, response) }
  const s = await setUp(t, { probe: answer, turn: answer })
  for (const path of ['/backend-api/codex/responses', '/v1/responses']) {
    for (let i = 0; i < 3; i++) t.equal((await s.ask(old, 'POST', path)).status, 401)
    for (let i = 0; i < 3; i++) t.equal((await s.ask(fresh, 'POST', path)).status, 200)
  }
  t.equal(await s.metric('codex_sidecar_false_negatives_total'), 0)
})

t.test('a new token is not refused for want of a second key that its request has', async t => {
  for (const [name, value] of [['x-gateway-key', 'g'], ['helicone-auth', 'Bearer h'], ['cookie', 'sess=1'], ['cf-access-client-secret', 'z'], ['x-portkey-api-key', 'p']] as const) {
    const wants: Answer = ({ headers }, response) => { json(response, headers[name] === value ? 200 : 401, deadKey) }
    const s = await setUp(t, { probe: wants, turn: wants })
    const { statusCode, body } = await request(`${s.url}/v1/responses`, { method: 'POST', body: '{}', headers: { ...bearer('new'), [name]: value } })
    await body.dump()
    t.strictSame([statusCode, s.probes, s.turns], [200, 1, 1], name)
  }
})
