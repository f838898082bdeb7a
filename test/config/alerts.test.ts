import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { request } from 'undici'
import { simulatedClock } from '../fixtures/clock.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const file = fileURLToPath(new URL('../../config/alerts.yaml', import.meta.url))
const { groups: [{ rules }] } = parse(readFileSync(file, 'utf8')) as { groups: [{ rules: { alert: string, expr: string, annotations: { summary: string, description: string } }[] }] }
const promtool = (...args: string[]) => spawnSync('promtool', args, { encoding: 'utf8' })
const skip = promtool('--version').status === 0 ? false : 'no promtool: install Debian’s package prometheus'

t.test('the alert rules say what to do, and ask for metrics that are there', async t => {
  const upstream = await startUpstream(t, ({ url, headers: { authorization } }, response) => { json(response, url === '/v1/much' ? 429 : 200, {}, url === '/v1/bare' ? {} : { 'x-ratelimit-limit-requests': '10', 'x-ratelimit-remaining-requests': authorization === 'Bearer best' ? '1' : '5', 'x-ratelimit-remaining-tokens': '1' }) })
  const clock = simulatedClock()
  const { url } = await startSidecar(t, { upstream: upstream.url, clock })
  for (const [path, headers] of [['/v1/models', bearer('good')], ['/v1/much', bearer('sk-other')], ['/v1/much', { authorization: 'Basic x' }], ['/v1/models', bearer('better')], ['/v1/models', bearer('best')], ['/v1/bare', bearer('sk-bare')]] as const) await (await request(`${url}${path}`, { headers })).body.dump()
  const metrics = await (await request(`${url}/metrics`)).body.text()
  t.equal(rules.length, 5)
  for (const { alert, expr, annotations: { summary, description } } of rules) {
    const [name = ''] = /codex_sidecar_\w+/.exec(expr) ?? []
    t.ok(metrics.includes(`# TYPE ${name} `), `${alert} asks for ${name}`)
    t.ok(summary.length > 20 && description.length > 20)
  }
  t.match(metrics, 'codex_sidecar_limit_used_ratio{route="/v1",kind="opaque"} 0.9\n')
  t.match(metrics, 'codex_sidecar_rate_limited_total{route="/v1",kind="openai_key"} 1\n')
  t.match(metrics, 'codex_sidecar_rate_limited_total{route="/v1",kind="none"} 1\n')
  clock.advance(3_700_000)
  t.notMatch(await (await request(`${url}/metrics`)).body.text(), 'codex_sidecar_limit_used_ratio{', 'what was told an hour ago is outdated')
})

t.test('promtool finds nothing wrong with them, and each fires at what it is for', { skip }, async t => {
  const { status, stdout, stderr } = promtool('check', 'rules', file)
  t.equal(status, 0, stdout + stderr)
  const play = join(t.testdir({}), 'alerts.test.yaml')
  writeFileSync(play, readFileSync(new URL('../fixtures/alerts.test.yaml', import.meta.url), 'utf8').replace('RULES', file))
  const tested = promtool('test', 'rules', play)
  t.equal(tested.status, 0, tested.stdout + tested.stderr)
})
