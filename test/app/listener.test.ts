import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { buildApp } from '../../src/app/app.ts'
import { Listener } from '../../src/app/listener.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { commandLine } from '../fixtures/program.ts'
import { configFor, logSink } from '../fixtures/sidecar.ts'

/** A listener that has not begun yet, with other addresses for `localhost` where they are given. */
function create (t: Test, local?: readonly string[]): Listener {
  const { destination } = logSink()
  const listener = new Listener(buildApp({ config: configFor({ upstream: 'http://127.0.0.1:9' }), log: createLog({ level: 'info', destination }) }), local)
  t.teardown(() => listener.close())
  return listener
}

const alive = async (url: string): Promise<number> => {
  const { statusCode, body } = await request(`${url}/livez`)
  await body.dump()
  return statusCode
}

/** Somebody else's listening socket. */
async function occupy (t: Test, host: string): Promise<Server> {
  const server = createServer()
  server.listen(0, host)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

t.test('localhost is both loopbacks, for clients that know only one of them', async t => {
  const sixth = await occupy(t, '::1').then(() => true, () => false)
  const listener = create(t)
  const { url, port } = await listener.listen('localhost', 0)
  t.equal(url, `http://127.0.0.1:${port}`)
  t.equal(await alive(url), 200)
  if (sixth) t.equal(await alive(`http://[::1]:${port}`), 200)
  const { destination } = logSink()
  await listener.replace(buildApp({ config: configFor({ upstream: 'http://127.0.0.1:9' }), log: createLog({ level: 'info', destination }), before: listener.app.generation }))
  t.equal(await alive(url), 200, 'another app takes the place at both')
  if (sixth) t.equal(await alive(`http://[::1]:${port}`), 200)
})

t.test('where there is no IPv6, or a free port is taken there, the first one does', async t => {
  for (const second of ['192.0.2.1', '127.0.0.1']) { // not of this machine (RFC 5737); taken by the first
    const { url } = await create(t, ['127.0.0.1', second]).listen('localhost', 0)
    t.equal(await alive(url), 200)
  }
})

t.test('a port that is wanted has to be free at both', async t => {
  const port = portOf(await occupy(t, '127.0.0.1'))
  await t.rejects(create(t, ['127.0.0.2', '127.0.0.1']).listen('localhost', port), { code: /EADDRINUSE|EADDRNOTAVAIL/ })
  await t.rejects(create(t).listen('localhost', port), { code: 'EADDRINUSE', address: '127.0.0.1' })
})

t.test('sockets that systemd has opened are taken as they are', async t => {
  const servers = [await occupy(t, '127.0.0.1'), await occupy(t, '127.0.0.1')]
  const ports = servers.map(portOf)
  const fds = servers.map(server => (server as unknown as { _handle: { fd: number } })._handle.fd)
  const child = spawn('sh', ['-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"', 'sh', ...commandLine(['--host=nowhere.invalid'])], { stdio: ['ignore', 'pipe', 'inherit', ...fds] })
  t.teardown(() => child.kill('SIGKILL'))
  const stdout = child.stdout as Readable
  for (let out = ''; !out.includes(`listening on http://127.0.0.1:${ports[0]}`);) out += (await once(stdout, 'data') as [Buffer])[0].toString()
  for (const server of servers) server.close()
  for (const port of ports) t.equal(await alive(`http://127.0.0.1:${port}`), 200)
  stdout.resume()
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})
