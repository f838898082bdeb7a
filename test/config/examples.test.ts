import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/config.ts'
import { optionsSchema } from '../../src/config/options.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'

const folder = new URL('../../config/', import.meta.url)
const examples = readdirSync(folder).filter(name => name.endsWith('.jsonc'))
const load = (name: string) => loadConfig({ flags: { config: new URL(name, folder).pathname } })

t.test('every example is a configuration without a mistake', async t => {
  t.ok(examples.length >= 3, `there are ${examples.length}`)
  for (const name of examples) t.doesNotThrow(() => load(name), name)
})

t.test('laptop.jsonc holds the defaults', async t => {
  t.strictSame({ ...load('laptop.jsonc'), proxies: undefined }, { ...loadConfig(), proxies: undefined })
})

t.test('laptop.jsonc names every option', async t => {
  const text = readFileSync(new URL('laptop.jsonc', folder), 'utf8')
  for (const [name, { properties }] of Object.entries(optionsSchema.properties as Record<string, { properties?: object }>)) {
    for (const option of [name, ...Object.keys(properties ?? {})]) t.ok(text.includes(`"${option}": `), option)
  }
})

t.test('own-upstream.jsonc sends the bare root to the server beneath /codex', async t => {
  const { routes } = load('own-upstream.jsonc')
  t.match(routes.find(({ prefix }) => prefix === '/codex'), { upstream: 'http://127.0.0.1:8000/', dialect: 'openai', credential: ['authorization'] })
})

t.test('helpers.jsonc holds the default routes and one more way to the first of them', async t => {
  const [helper, ...others] = load('helpers.jsonc').routes
  const { routes } = loadConfig()
  t.strictSame(others, routes)
  t.strictSame(helper, { ...routes[0], prefix: '/helper/backend-api' })
})

t.test('a Kubernetes Service named codex-sidecar does not stop it', async t => {
  t.equal(loadConfig({ env: { CODEX_SIDECAR_PORT: 'tcp://10.0.0.1:7257' } }).port, 7257)
  t.throws(() => loadConfig({ env: { CODEX_SIDECAR_PORT: 'http://10.0.0.1:7257' } }), /CODEX_SIDECAR_PORT: is/)
  t.throws(() => loadConfig({ env: { CODEX_SIDECAR_HOST: '', CODEX_SIDECAR_LOG_LEVEL: 'tcp://10.0.0.1:7257' } }), /CODEX_SIDECAR_LOG_LEVEL: is/)
})

interface Probe { exec: { command: [string, ...string[]] } }
interface Pod { initContainers: [{ env: { name: string, value: string }[], startupProbe: Probe, livenessProbe: Probe, readinessProbe: Probe, securityContext: object }], terminationGracePeriodSeconds: number }

t.test('kubernetes.yaml: the probes pass while it lives and fail when it does not', async t => {
  const { spec: { template: { spec } } } = parse(readFileSync(new URL('kubernetes.yaml', folder), 'utf8')) as { spec: { template: { spec: Pod } } }
  const { initContainers: [{ env, startupProbe, livenessProbe, readinessProbe }], terminationGracePeriodSeconds } = spec
  const { host, port: own, times } = loadConfig({ env: Object.fromEntries(env.map(({ name, value }) => [name, value])) })
  t.equal(host, '127.0.0.1')
  t.ok(terminationGracePeriodSeconds * 1000 > times.drain + times.connect)
  const { app, port } = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  const run = ({ exec: { command: [, ...args] } }: Probe) => {
    t.ok(args.some(arg => arg.includes(`http://127.0.0.1:${own}/`)))
    return promisify(execFile)(process.execPath, args.map(arg => arg.replace(`:${own}/`, `:${port}/`)))
  }
  for (const probe of [startupProbe, livenessProbe, readinessProbe]) await t.resolves(run(probe))
  const kubelet = new RawClient(t, port)
  for (const [name, status] of [['localhost', 200], ['10.1.2.3', 403]] as const) {
    kubelet.write(`GET /livez HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
    t.match(await kubelet.answer(), { status }, 'an httpGet probe needs the Host field that the comment names')
  }
  await app.close()
  for (const probe of [startupProbe, livenessProbe, readinessProbe]) await t.rejects(run(probe), { code: 1 })
})

t.test('compose.yaml publishes on loopback only and gives running requests their time', async t => {
  const { services } = parse(readFileSync(new URL('compose.yaml', folder), 'utf8')) as { services: Record<string, { ports: string[], stop_grace_period?: string }> }
  for (const { ports } of Object.values(services)) t.ok(ports.every(port => port.startsWith('127.0.0.1:')))
  const { times } = load('container.jsonc')
  t.ok(parseInt(String(services['codex-sidecar']?.stop_grace_period)) * 1000 > times.drain + times.connect)
})
