import type { ServerResponse } from 'node:http'
import t from 'tap'
import { request } from 'undici'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { startUpstream } from '../fixtures/upstream.ts'

const get = (path: string, token?: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${token === undefined ? '' : `Authorization: Bearer ${token}\r\n`}\r\n`
const turn = async (): Promise<void> => { await new Promise(resolve => setImmediate(resolve)) }

/** Counts turns of the event loop, which is that of the sidecar, too. */
function countTurns (): () => number {
  let turns = 0
  let over = false
  const count = (): void => { if (!over) { turns++; setImmediate(count) } }
  count()
  return () => { over = true; return turns }
}

t.test('one connection that pipelines refusals gives others their turn, and gets all of its answers', async t => {
  const { port, lines } = await startSidecar(t, { upstream: 'http://127.0.0.1:1' })
  const other = new RawClient(t, port)
  other.write(get('/v1/models'))
  await other.answer()
  const many = new RawClient(t, port, { keep: false })
  let answers = 0
  many.socket.on('data', (text: string) => { answers += text.split('HTTP/1.1 401').length - 1 })
  many.write(get('/v1/models').repeat(1_000))
  other.write(get('/v1/other'))
  t.equal((await other.answer()).status, 401)
  await many.until(() => answers === 1_000)
  const order = lines().flatMap(({ path }) => typeof path === 'string' ? path : [])
  t.ok(order.indexOf('/v1/other') < 500, 'it waits for few of them')
  many.write(get('/v1/models').repeat(10_000))
  await many.until(() => answers === 11_000)
  t.equal(answers, 11_000, 'none is lost where no more is read for a while')
})

t.test('one connection has 16 requests in work at once, the others in their turn; where it ends none of them is begun', async t => {
  const held: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url === '/v1/hang') held.push(response)
    else response.end(url)
  })
  const { port, url, app, lines } = await startSidecar(t, { upstream: upstream.url })
  const hanging = new RawClient(t, port)
  hanging.write(get('/v1/hang', 'good').repeat(600))
  while (held.length < 16) await turn()
  const inFlight = async (): Promise<number> => {
    const metrics = await (await request(`${url}/metrics`)).body.text()
    return [...metrics.matchAll(/lane_in_flight\{route="\/v1",lane="\w+"\} (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
  }
  t.equal(await inFlight(), 16)
  const other = new RawClient(t, port)
  other.write(get('/v1/models', 'good'))
  t.equal((await other.answer()).status, 200)
  held[0]?.end('first')
  t.equal((await hanging.answer()).body, 'first')
  while (held.length < 17) await turn()
  t.equal(await inFlight(), 16)
  let idle = false
  const settled = app.generation.idle().then(() => { idle = true })
  const turns = countTurns()
  hanging.socket.resetAndDestroy()
  await settled
  t.ok(turns() > 600 / 20, 'they are given up a share at a time')
  t.ok(idle)
  t.equal(await inFlight(), 0)
  t.equal(held.length, 17)
  t.equal(lines().filter(({ path }) => path === '/v1/hang').length, 17)
})

t.test('what waits behind a request is answered in order, uploads and all', async t => {
  const upstream = await startUpstream(t, ({ url }, response, body) => { response.end(`${url} ${body.length}`) })
  const { port } = await startSidecar(t, { upstream: upstream.url })
  const client = new RawClient(t, port)
  const bodies = Array.from({ length: 200 }, (_, i) => i % 3 === 0 ? 40_000 : i)
  client.write(bodies.map((length, i) => `POST /v1/${i} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`).join(''))
  for (const [i, length] of bodies.entries()) t.equal((await client.answer()).body, `/v1/${i} ${length}`)
})
