import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { Agent, request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { loadConfig } from '../../src/config/config.ts'
import { Shares } from '../../src/upstream/shares.ts'
import { createUpstream } from '../../src/upstream/upstream.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const turn = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('a key that may not list models: 100 POSTs at once, all served', async t => {
  const waiting: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ method }, response) => {
    if (method === 'GET') json(response, 403, { error: { message: 'Missing scopes: api.model.read' } })
    else waiting.push(response)
  })
  const { url } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_PROBE: 'first-use' } })
  const agent = new Agent({ connections: 100 })
  t.teardown(() => agent.destroy())
  const answers = Array.from({ length: 100 }, async () => {
    const { statusCode, body } = await request(`${url}/v1/responses`, { method: 'POST', headers: bearer('sk-restricted'), body: '{}', dispatcher: agent })
    await body.dump()
    return statusCode
  })
  while (waiting.length < 57) await turn()
  t.equal(waiting.length, 57, 'one token has not all of the 64 places')
  for (const response of waiting) json(response, 200, {})
  for (let served = 57; served < 100; served++) {
    while (waiting.length <= served) await turn()
    json(waiting[served] as ServerResponse, 200, {})
  }
  t.strictSame(new Set(await Promise.all(answers)), new Set([200]))
})

t.test('a token that was good keeps its lane, however long it was idle and whatever junk hangs in the other one', async t => {
  const clock = simulatedClock()
  const hanging: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ headers, url }, response) => {
    if (headers.authorization !== 'Bearer good') hanging.push(response)
    else json(response, url === '/v1/unclear' ? 401 : 200, {})
  })
  const { url } = await startSidecar(t, { upstream: upstream.url, clock, lanes: { unverified: 3 }, times: { place: 1 } })
  const send = async (token: string, path = '/v1/models') => {
    const { statusCode, body } = await request(url + path, { headers: bearer(token) })
    await body.dump()
    return statusCode
  }
  t.equal(await send('good'), 200)
  const junk = [1, 2, 3].map(i => send(`junk-${i}`).catch(() => 0))
  while (hanging.length < 3) await turn()
  t.equal(await send('junk-4'), 503)
  clock.advance(3_600_000)
  t.equal(await send('good'), 200, 'idle past its verdict')
  t.equal(await send('good', '/v1/unclear'), 401)
  t.equal(await send('good', '/v1/unclear'), 401)
  t.equal(await send('good'), 200, 'after 401s without a reason')
  for (const response of hanging) response.end()
  await Promise.all(junk)
})

t.test('a new token waits for a place, and one whose client leaves waits no longer', async t => {
  const waiting: ServerResponse[] = []
  const upstream = await startUpstream(t, (_request, response) => { waiting.push(response) })
  const { url, port, line } = await startSidecar(t, { upstream: upstream.url, lanes: { unverified: 1 } })
  const send = async (token: string) => {
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer(token) })
    await body.dump()
    return statusCode
  }
  const first = send('first')
  while (waiting.length < 1) await turn()
  const leaver = new RawClient(t, port)
  leaver.write('GET /v1/leaver HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer leaver\r\n\r\n')
  const second = send('second')
  const looked = async (): Promise<number> => Number(/verdict_lookups_total\{route="\/v1",found="unknown"\} (\d+)/.exec(await (await request(`${url}/metrics`)).body.text())?.[1])
  while (await looked() < 3) await turn()
  leaver.socket.destroy()
  await line(({ path }) => path === '/v1/leaver')
  json(waiting[0] as ServerResponse, 200, {})
  while (waiting.length < 2) await turn()
  json(waiting[1] as ServerResponse, 200, {})
  t.strictSame(await Promise.all([first, second]), [200, 200])
  t.strictSame(upstream.seen.map(({ url }) => url), ['/v1/models', '/v1/models'])
})

t.test('where a lane is full, tokens share it', async t => {
  const shares = new Shares(90)
  let greedy = 0
  for (; shares.admits('greedy'); greedy++) shares.take('greedy')
  t.equal(greedy, 80, 'eight ninths for one alone')
  t.ok(shares.admits('modest'), 'and there is one for somebody else')
  const few = new Shares(1)
  const leave = few.take('a')
  const order: string[] = []
  const wait = async (holder: string): Promise<void> => {
    const give = await few.wait(holder, { patience: 10_000, signal: new AbortController().signal })
    order.push(holder)
    give()
  }
  const all = [wait('b'), wait('c'), wait('b')]
  leave()
  await Promise.all(all)
  t.strictSame(order, ['b', 'c', 'b'])
  t.equal(few.taken, 0)
  const again = new Shares(3)
  const places = [again.take('a'), again.take('a'), again.take('b')] as const
  const next = ['a', 'b'].map(async holder => { await again.wait(holder, { patience: 10_000, signal: new AbortController().signal }); return holder })
  places[0]()
  t.equal(await Promise.race(next), 'a', 'who holds as few comes first by coming first')
  places[1]()
  await Promise.all(next)
  await t.rejects(again.wait('c', { patience: 1, signal: new AbortController().signal }), { code: 'lane_full' })
})

t.test('while questions about new tokens hang, the time can be asked for; an expired token is forwarded where nobody can be', async t => {
  const waiting: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ method, headers }, response) => {
    if (method === 'GET' && headers.authorization?.startsWith('Bearer hang') === true) waiting.push(response)
    else if (method === 'POST') json(response, 200, {})
    else response.writeHead(500).end()
  })
  const post = async (url: string, token: string): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/responses`, { method: 'POST', headers: bearer(token), body: '{}' })
    await body.dump()
    return statusCode
  }
  const { url } = await startSidecar(t, { upstream: upstream.url, env: { CODEX_SIDECAR_PROBE: 'first-use' } })
  const hanging = [1, 2, 3, 4, 5].map(i => post(url, `hang-${i}`))
  while (waiting.length < 5) await turn()
  t.equal(await post(url, 'sixth'), 200, 'nobody can be asked about another one')
  t.equal(await post(url, expiredJwt()), 401)
  for (const response of waiting) response.end()
  await Promise.all(hanging)
  const { url: nowhere } = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  t.equal(await post(nowhere, expiredJwt()), 502, 'there is nobody')
})

t.test('what a WebSocket or a stream says of its token in band counts', async t => {
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url === '/v1/responses') response.writeHead(200, { 'content-type': 'text/event-stream' }).end('event: error\ndata: {"type":"error","code":"token_revoked","message":"no"}\n\n')
    else json(response, 200, {})
  })
  new WebSocketServer({ server: upstream.server }).on('connection', socket => {
    socket.send('{"type":"session.created"}')
    socket.send('{"error"')
    socket.send(JSON.stringify({ type: 'error', error: { code: 'invalid_api_key', message: 'Incorrect API key provided' } }))
    socket.close(3000)
  })
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime`, { headers: bearer('sk-dead') })
  await once(socket, 'close')
  const models = async (token: string) => (await request(`${url}/v1/models`, { headers: bearer(token) })).statusCode
  t.equal(await models('sk-dead'), 401, 'the handshake was accepted, and yet the key is dead')
  const { body } = await request(`${url}/v1/responses`, { method: 'POST', headers: bearer('at-1'), body: '{}' })
  await body.dump()
  t.equal(await models('at-1'), 200, 'one word against a 2xx is no verdict')
})

t.test('the lane of our own questions has six places, the last of them not for tokens that nothing is known of', async t => {
  const config = loadConfig({ env: { CODEX_SIDECAR_OPENAI_UPSTREAM: 'http://127.0.0.1:1/v1/' } })
  const route = config.routes.find(({ prefix, marks }) => prefix === '/v1' && marks === undefined)
  if (route === undefined) throw new Error('no route')
  const upstream = createUpstream(route, config, simulatedClock())
  t.teardown(upstream.close)
  const { probe } = upstream
  const leaves = Array.from({ length: 5 }, () => probe.enter())
  t.strictSame([probe.free(false), probe.free(true)], [false, true])
  leaves.push(probe.enter())
  t.strictSame([probe.free(false), probe.free(true)], [false, false])
  t.throws(() => probe.enter(), { code: 'lane_full' })
  for (const leave of leaves) leave()
  t.ok(probe.free(false))
})

t.test('credentials of other schemes are told apart, and are served like any other once they were', async t => {
  const hanging: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ headers, url, method }, response) => {
    if (headers.authorization === 'Basic junk' && url !== '/v1/own') hanging.push(response)
    else json(response, url === '/v1/no' ? 401 : method === 'OPTIONS' ? 204 : 200, {})
  })
  const { url, line } = await startSidecar(t, { upstream: upstream.url, lanes: { unverified: 9, verified: 9 }, times: { place: 1 } })
  const send = async (authorization: string, path: string, method: 'GET' | 'OPTIONS' = 'GET') => {
    const { statusCode, body } = await request(url + path, { method, headers: { authorization } })
    await body.dump()
    return statusCode
  }
  const laneOf = async (path: string): Promise<unknown> => (await line(entry => entry['path'] === path))['lane']
  t.equal(await send('Basic good', '/v1/first', 'OPTIONS'), 204)
  t.equal(await send('Basic good', '/v1/second'), 200)
  t.equal(await send('Basic good', '/v1/third'), 200)
  t.strictSame([await laneOf('/v1/first'), await laneOf('/v1/second'), await laneOf('/v1/third')], ['unverified', 'unverified', 'verified'])
  const junk = Array.from({ length: 12 }, () => send('Basic junk', '/v1/junk').catch(() => 0))
  while (hanging.length < 8) await turn()
  t.equal(await send('Basic other', '/v1/fourth'), 200, 'one alone has not all places')
  t.equal(await send('Basic good', '/v1/no'), 401)
  t.equal(await send('Basic good', '/v1/fifth'), 200)
  t.equal(await laneOf('/v1/fifth'), 'unverified', 'who was refused begins anew')
  for (const response of hanging) json(response, 200, {})
  await Promise.all(junk)
})
