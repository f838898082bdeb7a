import type { ServerResponse } from 'node:http'
import t from 'tap'
import { Agent, request } from 'undici'
import { RawClient } from '../fixtures/raw-client.ts'
import { routeTo } from '../fixtures/route.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

t.test('10,000 requests with 10,000 bad tokens beside a live stream: no event is lost or reordered, memory stays bounded', async t => {
  let live: ServerResponse | undefined
  const upstream = await startUpstream(t, ({ headers }, response) => {
    if (headers.authorization === 'Bearer live') {
      live = response.writeHead(200, { 'content-type': 'text/event-stream' })
      live.flushHeaders()
    } else json(response, 401, deadKey)
  })
  const { url, app } = await startSidecar(t, { upstream: upstream.url, limits: { verdicts: 1_000 }, logLevel: 'silent' })
  const agent = new Agent({ connections: 30 })
  t.teardown(() => agent.destroy())
  const { body } = await request(`${url}/v1/responses`, { headers: bearer('live'), dispatcher: agent })
  const events: string[] = []
  const reading = (async () => { for await (const chunk of body) events.push((chunk as Buffer).toString()) })()

  const kinds = [(i: number) => `dead-${i}`, (i: number) => expiredJwt(100 + i), (i: number) => `to ken ${i}`, (i: number) => `sk-ant-${i}`]
  const statuses = new Map<number, number>()
  let sent = 0
  const storm = async (): Promise<void> => {
    while (sent < 10_000) {
      const i = sent++
      if (i % 100 === 0) live?.write(`data: ${i / 100}\n\n`)
      const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer(kinds[i % kinds.length]?.(i) ?? ''), dispatcher: agent })
      await body.dump()
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: 20 }, storm))
  live?.end('event: response.completed\ndata: {}\n\n')
  await reading
  t.strictSame([...statuses], [[401, 10_000]])
  t.equal(events.join(''), `${Array.from({ length: 100 }, (_, i) => `data: ${i}\n\n`).join('')}event: response.completed\ndata: {}\n\n`)
  t.equal(upstream.seen.filter(({ headers }) => headers.authorization !== undefined && headers.authorization !== 'Bearer live').length, 5_000, 'only those that nobody can judge without asking went up, once each')
  const metrics = await request(`${url}/metrics`)
  const [, kept = ''] = /codex_sidecar_verdicts (\d+)/.exec(await metrics.body.text()) ?? []
  t.ok(Number(kept) <= 1_001, `${kept} verdicts are kept`)
  t.equal(app.server.listening, true)
})

t.test('a fault of ours is an answer of ours, and tells nothing', async t => {
  const { url } = await startUpstream(t, (_request, response) => { response.end() })
  const { app, lines } = await startSidecar(t, {
    upstream: url,
    remote: [{ validate: async ({ carrier }) => { throw new TypeError(`secret words about ${carrier}`) } }]
  })
  const { statusCode, body } = await request(`${app.listeningOrigin}/v1/models`, { headers: bearer('good') })
  const text = await body.text()
  t.equal(statusCode, 500)
  t.match(text, '"code":"internal_error"')
  t.notMatch(text, 'secret words')
  t.match(lines().find(({ code }) => code === 'internal_error'), { err: { type: 'TypeError' } })
})

t.test('our own paths answer only on names of this machine and to no foreign page', async t => {
  const { url } = await startUpstream(t, (_request, response) => { response.end() })
  const { port, url: own } = await startSidecar(t, { upstream: url, config: { allowedHosts: ['sidecar.test'] } })
  const ask = async (path: string, headers: Record<string, string>) => {
    const { statusCode, body } = await request(`${own}${path}`, { headers })
    const text = await body.text()
    return { statusCode, code: text.startsWith('{"type') ? (JSON.parse(text) as { error: { code: string } }).error.code : undefined }
  }
  for (const path of ['/livez', '/healthz', '/readyz', '/metrics']) {
    for (const host of [`127.0.0.1:${port}`, 'localhost', 'a.localhost:1', '[::1]:7257', 'LOCALHOST', 'sidecar.test:80']) t.match(await ask(path, { host }), { statusCode: 200 }, `${path} ${host}`)
    for (const host of ['evil.test', '127.0.0.1.evil.test', 'localhost.evil.test', '10.0.0.1']) t.match(await ask(path, { host }), { statusCode: 403, code: 'forbidden_host' }, `${path} ${host}`)
    const nameless = new RawClient(t, port)
    nameless.write(`GET ${path} HTTP/1.0\r\n\r\n`)
    t.match(await nameless.answer(), { status: 403, body: /forbidden_host/ }, 'no name is none of these')
    t.match(await ask(path, { host: `localhost:${port}`, origin: `http://localhost:${port}` }), { statusCode: 200 })
    t.match(await ask(path, { host: `localhost:${port}`, origin: 'https://evil.test' }), { statusCode: 403, code: 'forbidden_origin' })
  }
})

t.test('a route can be closed to pages whose name was made to lead here, and is open to containers and neighbours by default', async t => {
  const { url } = await startUpstream(t, (_request, response) => { response.end('served') })
  const route = { upstream: url, credential: [] }
  const { url: own } = await startSidecar(t, { upstream: url, config: { routes: [routeTo({ ...route, prefix: '/open' }), routeTo({ ...route, prefix: '/closed', allowedHosts: ['sidecar.test'] })] } })
  const ask = async (path: string, host: string): Promise<string> => {
    const { statusCode, body } = await request(`${own}${path}`, { headers: { host } })
    return `${statusCode} ${/forbidden_host|served/.exec(await body.text())?.[0]}`
  }
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:7257', '192.168.1.5:7257', '[fd00::5]', 'sidecar.test', 'Sidecar.test:80']) t.equal(await ask('/closed/x', host), '200 served', host)
  for (const host of ['evil.test', 'localhost.evil.test', '127.0.0.1.evil.test', '']) t.equal(await ask('/closed/x', host), '403 forbidden_host', host)
  for (const host of ['evil.test', 'codex-sidecar:7257', 'host.docker.internal', 'nas.local']) t.equal(await ask('/open/x', host), '200 served', host)
})
