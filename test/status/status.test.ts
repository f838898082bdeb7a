import { readFileSync, readdirSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Client, request } from 'undici'
import { buildApp } from '../../src/app/app.ts'
import type { Route } from '../../src/config/options.ts'
import type { Status } from '../../src/status/status.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { rememberMany } from '../fixtures/many-verdicts.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { configFor, startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

/** What is read of a dashboard in Grafana's own form. */
interface Dashboard {
  panels: { type: string, targets?: { expr: string }[], datasource?: { uid: string } }[]
  templating: { list: { definition?: string }[] }
}

/** What a browser asks for, and what a program does. */
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

/** A sidecar before an upstream that knows dead tokens, and one path where it does not say what is wrong. */
async function setUp (t: Test, options: Partial<SidecarOptions> = {}) {
  const upstream = await startUpstream(t, ({ url = '', headers: { authorization = '' } }, response) => {
    if (authorization.includes('dead')) json(response, 401, deadKey)
    else if (url.includes('much')) json(response, 429, {}, { 'retry-after': '1' })
    else if (url.includes('unclear')) json(response, 401, { detail: 'Unauthorized' })
    else json(response, 200, {})
  })
  const clock = simulatedClock()
  const sidecar = await startSidecar(t, { upstream: upstream.url, clock, ...options })
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, headers: fields, body } = await request(`${sidecar.url}${path}`, { headers })
    return { status: statusCode, headers: fields, text: await body.text() }
  }
  return {
    ...sidecar, clock, ask, upstream: upstream.url,
    send: (token: string, path = '/v1/models') => ask(path, bearer(token)),
    /** The status as JSON. */
    status: async (query = '') => JSON.parse((await ask(`/status${query}`)).text) as Status
  }
}

t.test('/status tells programs what runs, what is pointed here, and what is known', async t => {
  const s = await setUp(t)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  for (const token of ['good', 'dead']) await s.send(token)
  await s.send('odd', '/v1/unclear')
  s.clock.advance(3_000)
  for (const token of ['good', 'dead', 'good']) await s.send(token)
  s.clock.advance(2_000)
  const status = await s.status()
  t.match(status, {
    service: 'codex-sidecar', version, state: 'ready', listening: s.url, tunnels: { open: 0, limit: 512 },
    routes: [
      { path: '/backend-api/', upstream: `${s.upstream}/backend-api/`, requests: 0 },
      { path: '/v1/messages/', upstream: `${s.upstream}/v1/messages`, credential: ['x-api-key', 'authorization'] },
      {
        path: '/v1/', upstream: `${s.upstream}/v1/`, credential: ['authorization', 'sec-websocket-protocol'], probe: 'off', requests: 6, circuit: { state: 'closed' },
        lanes: { verified: { inFlight: 0, limit: 512 }, unverified: { inFlight: 0, limit: 64 }, probe: { inFlight: 0, limit: 6 } }
      },
      { path: '/v1/ with anthropic-version', upstream: `${s.upstream}/v1/`, credential: ['x-api-key', 'authorization'], probe: 'off', requests: 0 }
    ],
    refusals: [{ code: 'token_rejected', status: 401, message: /^Invalid bearer token - the upstream rejected it \(it knows no such API key: .*\)\. Sign in again/, method: 'GET', path: '/v1/models', route: '/v1/', token: /^[0-9a-f]{8}$/ }]
  })
  t.equal(Date.parse(status.now) - Date.parse(status.since), 5_000)
  t.equal(status.verdicts.kept, 3)
  const [good, dead, odd] = (['active', 'inactive', 'suspect'] as const).map(state => status.verdicts.list.find(verdict => verdict.state === state))
  t.match(good, { token: /^[0-9a-f]{8}$/, route: '/v1/', carrier: 'authorization', reason: null, source: 'upstream', ageSeconds: 2, holdsForSeconds: 598, uses: 2, usedSecondsAgo: 2 })
  t.ok((good?.dueInSeconds ?? 0) >= 478 && (good?.dueInSeconds ?? 0) <= 538, 'renewed from 80 % of its time on')
  t.match(dead, { token: status.refusals[0]?.token, reason: 'token_rejected', detail: 'it knows no such API key', source: 'upstream', ageSeconds: 5, dueInSeconds: 10, holdsForSeconds: 10, uses: 1, usedSecondsAgo: 2 })
  t.match(odd, { reason: null, detail: 'the upstream answered 401 without a reason', ageSeconds: 5, dueInSeconds: 0, holdsForSeconds: 25, uses: 0, usedSecondsAgo: 5 })
  t.strictSame(status.clients.map(({ client }) => client), ['openclaw', 'codex', 'openai', 'anthropic', 'claude-code', 'opencode', 'kilo', 'cline', 'continue', 'qwen-code', 'agents', 'langchain', 'ai'])
  t.match(status.clients.find(({ client }) => client === 'openai')?.recipes, [{ lines: [`export OPENAI_BASE_URL="${s.url}/v1"`] }], 'with the address that was asked')
})

t.test('verdicts are listed while they hold something, those used last first', async t => {
  const s = await setUp(t)
  await s.send('good')
  await s.send('good', '/v1/unclear')
  const listed = async (query = '') => (await s.status(query)).verdicts.list.map(({ state, route, uses, dueInSeconds }) => ({ state, route, uses, dueInSeconds }))
  const states = async () => (await listed()).map(({ state }) => state).sort()
  t.strictSame(await states(), ['active', 'suspect'], 'a suspicion is of some of its requests')
  await s.send('good', '/v1/unclear')
  t.strictSame(await states(), ['active', 'suspect'])
  s.clock.advance(31_000)
  t.match(await listed(), [{ state: 'active', uses: 2 }], 'and passes')
  s.clock.advance(600_000)
  t.match(await listed(), [{ state: 'active', dueInSeconds: 0 }], 'past its time the next request asks')
  s.clock.advance(1_000)
  await s.send('dead')
  s.clock.advance(1_000)
  await s.send('other')
  t.match(await listed(), [{ state: 'active' }, { state: 'inactive' }, { state: 'active' }])
  for (let i = 0; i < 4; i++) await s.send('odd', '/v1/unclear')
  t.match((await s.status()).verdicts.list[0], { state: 'inactive', reach: 'request', detail: 'with 401 again and again, without saying why' }, 'what counts for some requests only says so')
  s.app.generation.verdicts.release()
  await s.send('dead')
  await s.send('other')
  t.match(await listed('?verdicts=1'), [{ state: 'active', dueInSeconds: /[1-9]/ }])
  t.strictSame(await listed('?verdicts=0'), [])
  t.match(await listed('?find=inact'), [{ state: 'inactive' }])
  const { token = '' } = (await s.status('?verdicts=1')).verdicts.list[0] ?? {}
  t.equal((await listed(`?find=${token}`)).length, 1)
  for (const digit of '0123456789abcdef') t.strictSame(await listed(`?find=${token}${digit}`), [], 'more of the fingerprint can not be found out')
  for (const [find, found] of [['token_rej', 1], ['upstream', 3], ['/v1', 3], ['/backend', 0], ['null', 0]] as const) t.equal((await listed(`?find=${find}`)).length, found, find)
  for (const query of ['?verdicts=', '?verdicts=-1', '?verdicts=all', '?verdicts=1&verdicts=2']) t.match(await s.ask(`/status${query}`), { status: 400, text: /"code":"invalid_request"/ }, query)
  rememberMany(s.app, 10_000)
  t.equal((await s.status()).verdicts.list.length, 100, 'a hundred unless told: a picture on a page must not make us tell tens of thousands')
  t.equal((await s.status('?verdicts=20000')).verdicts.list.length, 10_001, '10,000 good ones are kept at most')
})

t.test('the last 50 kinds of answers in our own name are there, the latest first, equal ones together', async t => {
  const s = await setUp(t)
  t.strictSame((await s.status()).refusals, [])
  await s.send('', '/v1/models')
  s.clock.advance(1_000)
  const raw = new RawClient(t, s.port)
  raw.write('GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \x01\r\n\r\n')
  await raw.answer()
  await s.send('good', `/nowhere/${'x/'.repeat(250)}?secret`)
  const { refusals } = await s.status()
  t.match(refusals, [
    { code: 'no_route', status: 404, message: /^No route for this path\. Routes here: \/backend-api\//, path: /^\/nowhere\/(?:x\/){95}x$/ },
    { code: 'malformed_token', status: 401, message: /control character/, requestId: String },
    { code: 'malformed_token', status: 401, message: /it is empty/, route: '/v1/', method: 'GET', path: '/v1/models' }
  ])
  t.notOk('path' in (refusals[1] ?? {}), 'what never became a request has no path')
  t.equal(Date.parse(refusals[0]?.at ?? '') - Date.parse(refusals[2]?.at ?? ''), 1_000)
  const expired = expiredJwt()
  for (let i = 0; i < 20; i++) await s.ask(`/v1/${i}`, { ...bearer(expired), 'user-agent': `tool/${i % 12}` })
  s.clock.advance(1_000)
  await s.ask('/v1/last', { ...bearer(expired), 'user-agent': 'codex_cli_rs/1.2', originator: 'codex_cli_rs' })
  const [group] = (await s.status()).refusals
  t.match(group, { about: 'credential', code: 'token_expired', count: 21, path: '/v1/last', credential: 'ChatGPT login (plan pro, …ct-1)' })
  t.strictSame(group?.clients, ['codex_cli_rs 1.2', ...[7, 6, 5, 4, 3, 2, 1, 0, 11].map(version => `tool ${version}`)], 'ten at most, the last one first')
  t.equal(Date.parse(group?.at ?? '') - Date.parse(group?.firstAt ?? ''), 1_000)
  for (let i = 0; i < 60; i++) { s.clock.advance(1); await s.send('good', `/nowhere/${i}`) }
  t.strictSame((await s.status()).refusals.map(({ path }) => path), Array.from({ length: 50 }, (_, i) => `/nowhere/${59 - i}`))
})

t.test('a web page of another origin gets nothing, and pushes nothing out of the list', async t => {
  const s = await setUp(t)
  const image = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }
  for (const path of ['/status', '/metrics', '/livez', '/status/page.js']) {
    t.match(await s.ask(path, image), { status: 403, text: /forbidden_origin/ }, path)
    t.match(await s.ask(path, { ...image, 'sec-fetch-site': 'same-site' }), { status: 403 }, 'another port of this machine is another page too')
    t.match(await s.ask(path, { ...image, 'sec-fetch-site': 'same-origin' }), { status: 200 })
    t.match(await s.ask(path, { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }), { status: 200 })
    t.match(await s.ask(path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }), { status: 200 }, 'a link that somebody follows')
    t.match(await s.ask(path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }), { status: 403 })
  }
  await s.send('undefined', '/v1/own')
  s.clock.advance(1_000)
  for (let i = 0; i < 60; i++) await s.ask(`/nowhere/${i}`, i % 2 === 0 ? image : { origin: 'https://evil.test' })
  for (const path of ['/status', '/v1/x', '/v1/100%']) await s.ask(path, image)
  const { refusals } = await s.status()
  t.equal(refusals.length, 51)
  t.match(refusals.at(-1), { path: '/v1/own', fromPage: undefined }, 'a person’s own is still there')
  t.ok(refusals.slice(0, -1).every(({ fromPage }) => fromPage))
})

t.test('an upstream that can not be reached is an open circuit', async t => {
  const s = await setUp(t, { upstream: 'http://127.0.0.1:9' })
  for (let i = 0; i < 5; i++) await s.send('good')
  const circuit = async () => (await s.status()).routes.find(({ path }) => path === '/v1/')?.circuit
  t.strictSame(await circuit(), { state: 'open', code: 'upstream_unreachable', message: 'Upstream connection error (socket hang up): the upstream could not be reached, it refused the connection. Your credential was not judged. Check the network, then retry.', retryInSeconds: 1 })
  t.match((await s.ask('/metrics')).text, 'codex_sidecar_circuit_open{route="/v1"} 1\n')
  s.clock.advance(5_000)
  t.match(await circuit(), { state: 'open', retryInSeconds: 0 })
  t.match((await s.status()).refusals, [{ code: 'upstream_unreachable', status: 502, message: /it refused the connection/ }])
})

t.test('other routes, other listeners, shutting down', async t => {
  const { url, server } = await startUpstream(t, (_request, response) => { response.writeHead(200).write('.') })
  const [route] = configFor({ upstream: url, env: { CODEX_SIDECAR_PROBE: 'background' } }).routes.filter(({ prefix }) => prefix === '/v1') as [Route]
  const { probePath, ...unasked } = route
  const routes: Route[] = [{ ...unasked, prefix: '' }, { ...route, prefix: '/asked' }, { ...route, prefix: '/first', probe: 'first-use' }]
  t.equal(probePath, '/v1/models')
  const { app, ...s } = await startSidecar(t, { upstream: url, env: { CODEX_SIDECAR_PROBE: 'background' }, config: { routes } })
  const status = async (from: { dispatcher?: Client, origin?: string } = {}) => await (await request(`${from.origin ?? s.url}/status`, from)).body.json() as Status
  t.match((await status()).routes, [{ path: '/', probe: 'off' }, { path: '/asked/', probe: 'background' }, { path: '/first/', probe: 'first-use' }])
  t.strictSame((await status()).clients, [], 'no client fits these routes')
  const running = await request(`${s.url}/asked/x`, { headers: bearer('good') })
  const closed = app.close()
  t.match(await status(), { state: 'draining' })
  running.body.on('error', () => {}).destroy()
  await closed
  server.closeAllConnections()

  const path = `${t.testdir({})}/socket`
  const local = buildApp({ config: configFor({ upstream: url }), log: createLog({ level: 'silent' }) })
  t.match((await local.inject('/status')).json<Status>(), { listening: null })
  await local.listen({ path })
  const dispatcher = new Client('http://localhost', { socketPath: path })
  t.match(await status({ dispatcher, origin: 'http://localhost' }), { listening: path })
  await dispatcher.close()
  await local.close()
})

t.test('browsers get a page that nobody else can use', async t => {
  const s = await setUp(t)
  const kind = async (accept?: string) => (await s.ask('/status', accept === undefined ? {} : { accept })).headers['content-type']
  for (const accept of [browser, 'text/html', 'text/html, application/json;q=0.5']) t.equal(await kind(accept), 'text/html; charset=utf-8', accept)
  for (const accept of [undefined, '*/*', 'application/json', 'application/*', 'text/html;q=0.5, application/json', 'text/plain']) t.match(await kind(accept), /^application\/json/, accept ?? 'none')

  const { text: page } = await s.ask('/status', { accept: browser })
  const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
  t.ok(files.length >= 4 && files.every(path => path.startsWith('/')), 'all it needs is from here')
  t.notMatch(page, /<style|<script[^>]*>[^<]|style=|\son[a-z]+=/i, 'nothing is inline')
  const scripts = readdirSync(new URL('../../src/status/page/', import.meta.url)).filter(name => name.endsWith('.js'))
  for (const name of scripts) files.push(`/status/${name}`)
  for (const [path, accept] of [['/status', browser], ['/status', '*/*'], ...files.filter(path => path !== '/metrics').map(path => [path, '*/*'])] as const) {
    const { status, headers, text } = await s.ask(path, { accept })
    t.match({ status, headers }, {
      status: 200,
      headers: {
        'content-security-policy': /^default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'$/,
        'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin'
      }
    }, path)
    t.notMatch(headers['content-security-policy'], /unsafe|data:|http/)
    t.notMatch(text, /innerHTML|outerHTML|insertAdjacent|document\.write|https?:\/\/(?!127\.0\.0\.1|www\.w3\.org)(?!\d)/, path)
    t.match(await s.ask(path, { accept, host: 'evil.test' }), { status: 403, text: /forbidden_host/ }, path)
    for (const host of ['$(id).localhost', '"`id`".localhost:7257']) t.match(await s.ask(path, { accept, host }), { status: 403 }, `${path} ${host}, which a shell would obey`)
    t.match(await s.ask(path, { accept, host: 'side-car.my_1.localhost:7257' }), { status: 200 }, path)
    t.match(await s.ask(path, { accept, origin: 'https://evil.test' }), { status: 403, text: /forbidden_origin/ }, path)
  }
})

t.test('only the page itself can release a token', async t => {
  const s = await setUp(t)
  await s.send('dead')
  const { token = '' } = (await s.status()).verdicts.list[0] ?? {}
  const release = async (headers: Record<string, string>) => {
    const { statusCode, body } = await request(`${s.url}/status/verdicts/${token}`, { method: 'DELETE', headers })
    return { status: statusCode, body: await body.json() }
  }
  for (const origin of ['https://evil.test', 'null', `https://127.0.0.1:${s.port}`, `http://127.0.0.1:${s.port}0`, `http://localhost:${s.port}`]) t.match(await release({ origin }), { status: 403 }, origin)
  for (const method of ['POST', 'GET', 'OPTIONS'] as const) t.equal((await request(`${s.url}/status/verdicts/${token}`, { method })).statusCode, 404, method)
  t.equal((await s.status()).verdicts.list[0]?.state, 'inactive')
  t.match(await release({ origin: s.url }), { status: 200, body: { released: 1 } })
  t.strictSame((await s.status()).verdicts.list, [])
})

t.test('the Grafana dashboard asks for metrics and labels that are there', async t => {
  const s = await setUp(t, { env: { CODEX_SIDECAR_PROBE: 'background' } })
  await s.send('good', '/v1/x')
  await s.send('odd', '/v1/unclear')
  await s.send('dead', '/v1/x')
  await s.send('good', '/v1/much')
  await s.send(expiredJwt())
  const { text } = await s.ask('/metrics')
  const { version } = await s.status()
  t.match(text, `codex_sidecar_build_info{version="${version}",node="${process.versions.node}"} 1\n`)
  t.match(text, 'codex_sidecar_lane_limit{route="/v1",lane="unverified"} 64\n')
  const kinds = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']) => [name, kind]))
  for (const [name, kind] of kinds) {
    t.equal(name.endsWith('_total'), kind === 'counter', `${name} is a ${kind}`)
    if (kind === 'histogram') t.match(name, /_seconds$/)
  }
  const labels = new Map<string, Set<string>>()
  for (const [, name = '', list = ''] of text.matchAll(/^(\w+)\{(.*)\} /gm)) labels.set(name, new Set([...labels.get(name) ?? [], ...[...list.matchAll(/(\w+)="/g)].map(([, label = '']) => label)]))

  const dashboard = JSON.parse(readFileSync(new URL('../../config/grafana-dashboard.json', import.meta.url), 'utf8')) as Dashboard
  const expressions = [...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)), ...dashboard.templating.list.flatMap(({ definition }) => definition ?? [])]
  t.ok(expressions.length > 20)
  for (const expression of expressions) {
    const asked = [...expression.matchAll(/\b((?:codex_sidecar|process|nodejs)_\w+)(?:\{([^}]*)\})?(?=[[)},\s]|$)/g)].filter(([, name]) => name !== 'nodejs_eventloop_state')
    t.ok(asked.length > 0, expression)
    for (const [, name = '', selector = ''] of asked) {
      t.ok(kinds.has(name) || (name.endsWith('_bucket') && kinds.get(name.slice(0, -7)) === 'histogram'), name)
      const known = labels.get(name) ?? new Set(['route'])
      for (const [, label = ''] of `${selector},${/\bby \(([^)]*)\)/.exec(expression)?.[1] ?? ''}`.matchAll(/(\w+)\s*(?:[=!]|,|$)/g)) {
        if (label !== 'instance') t.ok(known.has(label), `${name} has ${label}`)
      }
    }
  }
  for (const name of kinds.keys()) if (name !== 'process_start_time_seconds') t.ok(expressions.some(expression => expression.includes(name)), `${name} is shown`)
  t.ok(dashboard.panels.every(({ type, datasource }) => type === 'row' || datasource?.uid === '${datasource}'), 'the data source is a variable')
})
