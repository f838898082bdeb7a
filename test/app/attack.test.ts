import t from 'tap'
import { request } from 'undici'
import { attacks, attackUntil } from '../fixtures/attack/attacks.ts'
import { openGoodUpstream, openLiveSessions } from '../fixtures/attack/live.ts'
import { openHostileUpstream } from '../fixtures/attack/upstream.ts'
import { Random } from '../fixtures/random.ts'
import { routeTo } from '../fixtures/route.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

t.test('each attack of part E once, and a fuzz, beside four live sessions: none is refused or cut, and no place is left taken', async t => {
  const random = new Random()
  t.comment(`SEED=${random.seed}`)
  const good = await openGoodUpstream()
  const hostile = await openHostileUpstream(random)
  t.teardown(() => { good.close(); hostile.close() })
  const { port, url, app } = await startSidecar(t, {
    upstream: good.url, logLevel: 'silent', times: { idleUpload: 5_000, idleDownload: 5_000, headers: 5_000, streamHeaders: 5_000, handshake: 5_000, idleStream: 5_000 },
    config: { routes: [routeTo({ prefix: '/v1', upstream: `${good.url}/v1/`, probePath: '/v1/models' }), routeTo({ prefix: '/evil', upstream: `${hostile.url}/evil/` }), routeTo({ prefix: '/down', upstream: 'http://127.0.0.1:1' })] }
  })
  const notes = new Set<string>()
  const live = await openLiveSessions(port, session => { notes.add(session) })
  const names = Object.keys(attacks)
  const counts = new Map<string, number>()
  await attackUntil(() => counts.size === names.length && notes.size === 4, { port, random, hangUp: () => {}, complain: what => { live.wrong.push(what) } }, counts)
  await live.close()
  t.strictSame(live.wrong, [])
  t.strictSame([...notes].sort(), ['HTTP', 'WebSocket', 'event stream', 'upload'])
  await app.generation.idle()
  const metrics = await (await request(`${url}/metrics`)).body.text()
  t.strictSame([...metrics.matchAll(/^codex_sidecar_(?:lane_in_flight\{.*\}|tunnels_open) ([1-9]\d*)$/gm)].map(([line]) => line), [])
})
