import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { reach, type Resolve } from '../../src/upstream/connect/happy-eyeballs.ts'
import { freePort } from '../fixtures/free-port.ts'
import { silentPort } from '../fixtures/silent-port.ts'

/** A name with these addresses. */
const name = (...addresses: string[]): Resolve => () => Promise.resolve(addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })))
/** For this machine's TCP there is no way to it. */
const NOWHERE = '255.255.255.255'
const never = new AbortController().signal

t.test('an address that leads nowhere holds nobody up', { skip: process.platform !== 'linux' && '127.0.0.2 is an address only on Linux' }, async t => {
  const { port } = await silentPort(t)
  const server = createServer(socket => { socket.on('error', () => {}) }).listen(port, '127.0.0.2')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const socket = await reach({ hostname: 'both', port }, never, name('127.0.0.1', '127.0.0.2'))
  t.equal(socket.remoteAddress, '127.0.0.2')
  socket.destroy()
})

t.test('a slow address is not given up for others that fail', async t => {
  const { port, open } = await silentPort(t)
  const connecting = reach({ hostname: 'slow', port }, never, name('127.0.0.1', NOWHERE, '127.0.0.2', NOWHERE))
  setTimeout(open, 500) // after all the others have been tried
  const socket = await connecting
  t.equal(socket.remoteAddress, '127.0.0.1')
  socket.destroy()
})

t.test('it ends when nobody waits any longer', async t => {
  const { port } = await silentPort(t)
  const ending = new AbortController()
  const connecting = reach({ hostname: '127.0.0.1', port }, ending.signal)
  setImmediate(() => { ending.abort(new Error('given up')) })
  await t.rejects(connecting, { message: 'given up' })
  const resolving = new AbortController()
  const waiting = reach({ hostname: 'x', port }, resolving.signal, () => new Promise(() => {}))
  resolving.abort(new Error('given up'))
  await t.rejects(waiting, { message: 'given up' }, 'while its name is resolved too')
})

t.test('the failure is the one that says something about the upstream', async t => {
  const port = await freePort()
  await t.rejects(reach({ hostname: 'x', port }, never, name(NOWHERE, '127.0.0.1', NOWHERE)), { code: 'ECONNREFUSED' })
  await t.rejects(reach({ hostname: 'x', port }, never, name(NOWHERE)), { code: 'ENETUNREACH' })
  await t.rejects(reach({ hostname: 'nobody.invalid', port }, never), { code: /ENOTFOUND|EAI_AGAIN/ })
})

t.test('the families are tried by turns', async t => {
  const port = await freePort()
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  for (const addresses of [['::ffff:255.255.255.255', '::ffff:255.255.255.255', '127.0.0.1'], ['127.0.0.1', '::1', NOWHERE], ['127.0.0.1', '::1', '::2']]) {
    const socket = await reach({ hostname: 'x', port }, never, name(...addresses))
    t.equal(socket.remoteAddress, '127.0.0.1')
    socket.destroy()
  }
})
