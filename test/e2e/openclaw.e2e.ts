import t, { type Test } from 'tap'
import { installOpenClaw, OPENCLAW, type Installation } from './openclaw/installation.ts'
import { replay, type Row, type Way } from './openclaw/replay.ts'
import { note } from './results.ts'

// openclaw/openclaw#72574 replayed: helpers with dead tokens and a failing upstream, without and with the sidecar.
// OPENCLAW_VERSIONS names other versions, by commas. The first run downloads them.

const versions = process.env['OPENCLAW_VERSIONS']?.split(',') ?? OPENCLAW
t.setTimeout(versions.length * 3_600_000)

/** For the table of the run. */
function noteRow (row: Row): void {
  const { version, layout, whole, name, way, helper, requests } = row
  note({
    client: `OpenClaw ${version}`,
    what: `${whole === true ? 'sub-agent' : '/btw'}, ${layout === 'same' ? 'the main agent’s login' : 'a provider of its own'}: ${name}`,
    way,
    shown: helper.text,
    ms: helper.ms,
    requests,
    lost: [
      ...(row.gatewayLived ? [] : ['the gateway']),
      ...(row.connectionLived ? [] : ['the client’s connection']),
      ...(row.turnComplete ? [] : ['the running turn']),
      ...(row.nextComplete ? [] : [`the main agent’s next turn: ${row.next.text}`])
    ]
  })
}

async function measure (t: Test, installation: Installation, way: Way): Promise<Row[]> {
  const { rows, outside } = await replay(t, installation, way)
  rows.forEach(noteRow)
  t.comment(`${outside.length} connections beyond loopback were tried and stopped: ${[...new Set(outside)].join(', ')}`)
  return rows
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
        // A whole turn with the main agent's dead login benches it, with us as without; a helper's own login is another one.
        if (row.layout === 'apart' || row.whole !== true) t.ok(row.nextComplete, `${name}: the main agent's next turn works`)
        if (straight !== undefined) {
          t.ok(losses(row) <= losses(straight), `${name}: nothing is worse than without the sidecar`)
          if (row.standing !== 'good') t.ok(row.requests <= straight.requests, `${name}: the upstream sees no more than without`)
        }
        if (row.standing === 'good' && row.fault === undefined) t.match(row.helper, { kind: 'answer' }, `${name}: the helper answers`)
        if (row.standing !== 'good') {
          t.ok(row.requests <= (row.standing === 'expired' ? 0 : 1), `${name}: the upstream sees a dead token once at most`)
          // For a whole turn 2026.9 has words of its own.
          const words = row.whole === true ? /Invalid bearer token - .*Sign in again|authentication failed.*Re-authenticate/s : /Invalid bearer token - .*Sign in again/s
          t.match(row.helper, { kind: 'error', text: words }, `${name}: the helper says cause and remedy`)
        }
      }
    })
  })
}
