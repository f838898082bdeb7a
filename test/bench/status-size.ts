import t from 'tap'
import { request } from 'undici'
import { RequestRecord } from '../../src/telemetry/record.ts'
import { createClientReader } from '../../src/telemetry/usage/clients.ts'
import { credentialOf } from '../fixtures/judging.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

// What the status costs with 10,000 credentials and 1,000 clients, and what a request's entry in it does.

t.test('10,000 credentials, 1,000 clients: JSON within 100 ms, memory bounded', async t => {
  const { url, app } = await startSidecar(t, { upstream: 'http://127.0.0.1:9', logLevel: 'silent' })
  const { journal, usage } = app.generation.legacy
  const credentials = Array.from({ length: 10_000 }, (_, i) => credentialOf(`sk-proj-${'x'.repeat(20)}${i}`))
  const fields = ['x-ratelimit-limit-requests', '500', 'x-ratelimit-remaining-requests', '400', 'content-type', 'application/json', 'x-request-id', 'x']
  const enter = (i: number): void => {
    const record = new RequestRecord({ id: String(i), method: 'POST', target: '/v1/responses', foreign: false, userAgent: `tool-${i % 1_000}/1.0`, originator: undefined })
    journal.enter(Object.assign(record, { credential: credentials[i % 10_000], route: '/v1', status: i % 10 === 0 ? 401 : 200, endedAt: Date.now(), upstreamFields: fields, guardMs: 0.1, upstreamMs: 20 }))
  }
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 200_000; i++) enter(i + Math.floor(i / 10_000) * 37)
  journal.flush()
  globalThis.gc?.()
  const grown = (process.memoryUsage().heapUsed - before) / 1e6
  await (await request(`${url}/livez`)).body.dump() // what this client itself takes at first is not asked for
  const took: number[] = []
  const worked: number[] = []
  let size = 0
  for (let i = 0; i < 9; i++) {
    const began = performance.now()
    const busy = process.cpuUsage()
    size = (await (await request(`${url}/status`)).body.text()).length
    const { user, system } = process.cpuUsage(busy)
    worked.push((user + system) / 1000)
    took.push(performance.now() - began)
  }
  const began = process.cpuUsage()
  for (let i = 0; i < 200_000; i++) enter(3)
  journal.flush()
  const { user, system } = process.cpuUsage(began)
  const record = new RequestRecord({ id: '1', method: 'POST', target: '/v1/responses', foreign: false, userAgent: 'tool-3/1.0', originator: undefined })
  Object.assign(record, { credential: credentials[3], route: '/v1', status: 200, endedAt: Date.now(), upstreamFields: fields, guardMs: 0.1, upstreamMs: 20 })
  const { history } = app.generation.legacy
  const clientBy = createClientReader()
  const begunAlone = process.cpuUsage()
  for (let i = 0; i < 200_000; i++) {
    record.client = clientBy(record.userAgent, record.originator)
    usage.finished(record)
    history.finished(record)
  }
  const alone = process.cpuUsage(begunAlone)
  t.comment(`what is new takes ${(alone.user + alone.system) / 200_000} µs of it`)
  t.comment(JSON.stringify({ kept: usage.size, grownMB: Math.round(grown), json: size, ms: took.map(Math.round), cpuMs: worked.map(Math.round), usPerRecord: (user + system) / 200_000 }))
  t.equal(usage.size, 10_000)
  t.ok(took.sort((a, b) => a - b)[4] as number < 100)
})
