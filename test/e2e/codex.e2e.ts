import t, { type Test } from 'tap'
import { bothWays, type Way } from './both-ways.ts'
import { installCodex, runCodex, type CodexRun } from './codex-binary.ts'
import { DEAD, GOOD, TEXT } from './provider.ts'
import { note } from './results.ts'
import { Table } from './table.ts'

t.setTimeout(600_000) // the first run downloads Codex

const table = new Table('case', 'way', 'codex sent', 'upstream saw', 'ms', 'exit', 'last line shown')
const last = (lines: string[]): string => lines.at(-1) ?? ''

/** One turn on one way, measured and noted. */
async function turn (t: Test, what: string, way: Way, key: string): Promise<CodexRun & { sent: number, saw: number }> {
  const before = { requests: way.requests, seen: way.upstream.seen.length }
  const run = await runCodex(t, { baseUrl: `${way.url}/v1`, as: { key } })
  const sent = way.requests - before.requests
  const saw = way.upstream.seen.length - before.seen
  const shown = run.exitCode === 0 ? run.stdout.trim() : last(run.errors)
  table.add(what, way.name, sent, saw, run.ms, run.exitCode ?? 'killed', shown)
  note({ client: 'own provider, HTTP', what, way: way.name, shown, ms: run.ms, requests: saw })
  t.equal(run.outside, 0, `${way.name}: nothing but the provider is asked`)
  return { ...run, sent, saw }
}

t.before(installCodex)
t.teardown(() => table.print(t))

t.test('a good turn', async t => {
  const { straight, sidecar } = await bothWays(t)
  for (const way of [straight, sidecar]) {
    const { exitCode, stdout } = await turn(t, 'good turn', way, GOOD)
    t.equal(exitCode, 0, `${way.name}: codex succeeds`)
    t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
    t.equal(way.upstream.turns, 1, `${way.name}: the upstream gets one turn`)
  }
})

t.test('a dead token', async t => {
  const { straight, sidecar } = await bothWays(t)
  const without = await turn(t, 'dead token', straight, DEAD)
  t.equal(without.exitCode, 1)
  t.ok(without.saw > 3, 'straight: codex sends a dead token again and again')

  const through = await turn(t, 'dead token', sidecar, DEAD)
  t.equal(through.exitCode, 1)
  t.equal(through.saw, 1, 'sidecar: the upstream is asked once')
  t.ok(through.ms < 1500, 'sidecar: codex is done within 1.5 s')
  t.match(last(through.errors), /unexpected status 401 Unauthorized: Invalid bearer token - the upstream rejected it/, 'sidecar: codex shows our words')

  const again = await turn(t, 'dead token, next run', sidecar, DEAD)
  t.equal(again.saw, 0, 'sidecar: the upstream is not asked again')
  t.ok(again.ms < 1500, 'sidecar: codex is done within 1.5 s')
})

t.test('a stream that always ends in order after its first half', async t => {
  const { straight, sidecar } = await bothWays(t, { halves: Infinity })
  const without = await turn(t, 'half a stream, always', straight, GOOD)
  t.equal(without.exitCode, 1)
  t.match(last(without.errors), /stream closed before response\.completed/, 'straight: codex knows that something is missing')

  const through = await turn(t, 'half a stream, always', sidecar, GOOD)
  t.equal(through.exitCode, 1)
  t.match(last(through.errors), /the stream ended before it was complete/, 'sidecar: codex says what happened')
  t.ok(sidecar.upstream.turns <= straight.upstream.turns, 'sidecar: codex tries no more often')
})

t.test('a stream that is cut once', async t => {
  const { straight, sidecar } = await bothWays(t, { halves: 1 })
  for (const way of [straight, sidecar]) {
    const { exitCode, stdout } = await turn(t, 'half a stream, once', way, GOOD)
    t.equal(exitCode, 0, `${way.name}: codex recovers`)
    t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
    t.equal(way.upstream.turns, 2, `${way.name}: it takes one more turn`)
  }
})
