import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { run } from '../../src/cli.ts'
import { createProgress } from '../../src/commands/demo/progress.ts'

/** What a command gets from its process, and all that it writes, piece by piece. */
function fakeProcess () {
  const stdout: string[] = []
  const stderr: string[] = []
  const context = {
    env: {},
    stdin: process.stdin,
    stdout: { write: (text: string) => stdout.push(text) },
    stderr: { write: (text: string) => stderr.push(text) }
  }
  return { context, stdout, stderr }
}

/** Sets the variables for one test; undefined takes one away. */
function setEnv (t: Test, variables: Record<string, string | undefined>): void {
  const before = { ...process.env }
  t.teardown(() => { process.env = before })
  process.env = { ...before, ...variables }
  for (const [name, value] of Object.entries(variables)) if (value === undefined) Reflect.deleteProperty(process.env, name)
}

/** An HTTP proxy that should stay unused. */
async function startProxy (t: Test) {
  let connections = 0
  const server = createServer(socket => {
    connections++
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, get connections () { return connections } }
}

/** Cells of the table's rows with this label, one row after the other. */
const cellsOf = (page: string, label: string): string[][] =>
  page.split('\n').filter(line => line.trim().startsWith(label)).map(line => line.trim().split(/ {2,}/).slice(1))

t.test('the demo measures both sides and ends by itself', async t => {
  const proxy = await startProxy(t)
  setEnv(t, { http_proxy: proxy.url, no_proxy: undefined, NO_PROXY: undefined })
  const { context, stdout, stderr } = fakeProcess()
  t.equal(await run(['demo'], context), 0)
  const page = stdout.join('')

  t.strictSame(cellsOf(page, 'answers'), [['16 x 401', '16 x 401'], ['16 x 401', '16 x 401']], 'all helpers get their 401s on both sides')
  const [expired, revoked] = cellsOf(page, 'requests at the upstream')
  t.strictSame(expired, ['16', '0'], 'the upstream sees no expired token with the sidecar')
  t.equal(revoked?.[0], '16')
  t.ok(Number(revoked?.[1]) >= 1 && Number(revoked?.[1]) <= 4, 'at most one request for each helper asks about the revoked token')
  const [[lost, kept] = []] = cellsOf(page, 'Connections closed')
  t.ok(Number(lost) > 0, 'the upstream closes connections on its clients')
  t.equal(kept, '0', 'the sidecar closes none')
  t.strictSame(cellsOf(page, 'events'), [
    ['40 of 40, complete', '40 of 40, complete'],
    ['20 of 40', '20 of 40']
  ], 'the live session is whole beside the burst, the other one is not')
  t.strictSame(cellsOf(page, 'its client reports'), [['success', 'failed: upstream_reset']], 'the cut stream is explained')
  t.match(page, /without {2}Invalid bearer token\n {2}with {5}Invalid bearer token - it expired at/)

  t.strictSame(page.split('\n').filter(line => line.length > 80), [], 'it fits a terminal of 80 columns')
  t.equal(stdout[0], '1/2 without codex-sidecar ...\n', 'progress comes first, in plain lines')
  t.strictSame(stderr, [])
  t.equal(proxy.connections, 0, 'the HTTP proxy of the environment is not asked')
})

t.test('a flag that would change nothing is a mistake', async t => {
  const { context, stdout, stderr } = fakeProcess()
  t.equal(await run(['demo', '--port', '1'], context), 2)
  t.match(stderr.join(''), 'demo takes no flags, not even --port')
  t.strictSame(stdout, [])
})

t.test('progress on a terminal is one line, written over and then cleared', async t => {
  const written: string[] = []
  const progress = createProgress({ isTTY: true, write: text => written.push(text) })
  progress.step('working ...')
  progress.detail('1 of 2')
  progress.detail('2 of 2')
  progress.done()
  t.strictSame(written.join('').split('\r').map(line => line.trimEnd()), ['', 'working ...', 'working ... 1 of 2', 'working ... 2 of 2', '', ''])
  t.notMatch(written.join(''), '\n')
})
