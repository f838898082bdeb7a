import { randomBytes } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { RequestRecord } from '../../src/telemetry/record.ts'
import { credentialOf } from '../fixtures/judging.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

// A million tokens that nobody has seen before, each from a program of another name, and what the status costs meanwhile.

t.test('a million random tokens: memory bounded, the person’s own login stays in its place', async t => {
  const { url, app } = await startSidecar(t, { upstream: 'http://127.0.0.1:9', logLevel: 'silent' })
  const { journal, usage } = app.generation.legacy
  const enter = (token: string, userAgent: string, more: Partial<RequestRecord>): void => {
    const record = new RequestRecord({ id: 'x', method: 'POST', target: `/v1/responses/${randomBytes(8).toString('hex')}`, foreign: false, userAgent, originator: undefined })
    journal.enter(Object.assign(record, { credential: credentialOf(token), route: '/v1', endedAt: Date.now(), guardMs: 0.1 }, more))
  }
  enter(`sk-proj-${'x'.repeat(40)}mine`, 'my-tool/1', { status: 200 })
  const heap: number[] = []
  const took: number[] = []
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 100_000; i++) {
      const name = randomBytes(20).toString('hex')
      enter(`sk-proj-${name}`, `${name}${'<b>'.repeat(100)}/${name}`, { status: 401, code: 'token_rejected', detail: `it said "${name}"`, source: 'upstream' })
    }
    const began = performance.now()
    const { credentials: { list } } = await (await request(`${url}/status`, { reset: true })).body.json() as { credentials: { list: unknown[] } }
    took.push(Math.round(performance.now() - began))
    t.equal(list.length, 100)
    globalThis.gc?.()
    heap.push(Math.round(process.memoryUsage().heapUsed / 1e6))
    t.comment(`${(round + 1) / 10} million: heap ${String(heap.at(-1))} MB, status ${String(took.at(-1))} ms`)
  }
  t.comment(JSON.stringify({ heapMB: heap, statusMs: took, kept: usage.size }))
  t.equal(usage.size, 10_001)
  t.ok((heap.at(-1) ?? 0) < (heap[1] ?? 0) * 1.2, 'it does not grow')
  t.ok(usage.find(credentialOf(`sk-proj-${'x'.repeat(40)}mine`).fingerprint) !== undefined)
})
