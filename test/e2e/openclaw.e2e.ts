import t, { type Test } from 'tap'
import { installOpenClaw, type Installation } from './openclaw/installation.ts'
import { replay, type Row, type Way } from './openclaw/replay.ts'
import { markdown, writeReport } from './openclaw/report.ts'

// openclaw/openclaw#72574 replayed: helpers with dead tokens and a failing upstream, without and with the sidecar.
// OPENCLAW_VERSIONS names other versions, by commas. The first run downloads them.

const versions = (process.env['OPENCLAW_VERSIONS'] ?? '2026.4.9,2026.9.6').split(',')
t.setTimeout(versions.length * 2_400_000)

const rows: Row[] = []
t.teardown(async () => {
  if (rows.length === 0) return
  t.comment(`\n${markdown(rows)}`)
  t.comment((await writeReport(rows)).join(' '))
})

async function measure (t: Test, installation: Installation, way: Way): Promise<Row[]> {
  const { rows: measured, outside } = await replay(t, installation, way)
  rows.push(...measured)
  t.comment(`${outside.length} connections beyond loopback were tried and stopped: ${[...new Set(outside)].join(', ')}`)
  return measured
}

/** What a person has lost in a row; a helper with a dead token is expected to fail. */
const losses = ({ gatewayLived, connectionLived, turnComplete, nextComplete, helper }: Row): number =>
  [gatewayLived, connectionLived, turnComplete, nextComplete, helper.kind !== 'silence'].filter(fine => !fine).length

for (const version of versions) {
  t.test(`OpenClaw ${version}`, async t => {
    const installation = await installOpenClaw(version)
    let without: Row[] = []
    await t.test('straight', async t => { without = await measure(t, installation, 'straight') })
    await t.test('sidecar', async t => {
      const through = await measure(t, installation, 'sidecar')
      for (const [i, row] of through.entries()) {
        const name = `${row.name}, ${row.layout}`
        const straight = without[i]
        t.ok(row.gatewayLived, `${name}: the gateway lives`)
        t.ok(row.connectionLived, `${name}: the client's connection lives`)
        t.ok(row.turnComplete, `${name}: the running turn ends complete`)
        // A login shared with a helper whose token is dead may be benched by OpenClaw itself; one of its own never is.
        if (row.layout === 'apart' || row.standing === 'good') t.ok(row.nextComplete, `${name}: the main agent's next turn works`)
        if (straight !== undefined) {
          t.ok(losses(row) <= losses(straight), `${name}: nothing is worse than without the sidecar`)
          if (row.standing !== 'good') t.ok(row.requests <= straight.requests, `${name}: the upstream sees no more than without`)
        }
        if (row.standing === 'good' && row.fault === undefined) t.match(row.helper, { kind: 'answer' }, `${name}: the helper answers`)
        if (row.standing !== 'good') {
          t.ok(row.requests <= (row.standing === 'expired' ? 0 : 1), `${name}: the upstream sees a dead token once at most`)
          t.match(row.helper, { kind: 'error', text: /Invalid bearer token - .*Sign in again/s }, `${name}: the helper says cause and remedy`)
        }
      }
    })
  })
}
