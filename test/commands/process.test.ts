import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, statSync, symlinkSync, watch, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { saveMemory } from '../../src/app/memory.ts'
import { Coalesced } from '../../src/commands/coalesced.ts'
import { writeServerInfo } from '../../src/commands/server-info.ts'
import { start } from '../fixtures/program.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { bearer } from '../fixtures/token.ts'
import { deadKey, json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

/** The server info file's content, once it is there. */
async function serverInfo (dir: string): Promise<{ pid: number, port: number, url: string }> {
  const watcher = watch(dir)
  try {
    for (;;) {
      try { return JSON.parse(readFileSync(`${dir}/info.json`, 'utf8')) as { pid: number, port: number, url: string } } catch { await once(watcher, 'change') }
    }
  } finally {
    watcher.close()
  }
}

const streaming = (socket: Socket): void => { socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n')) }

t.test('the server info file is a fresh one of its owner’s, gone at the end', async t => {
  const dir = t.testdir({ victim: 'untouched' })
  const file = `${dir}/info.json`
  for (const link of [file, `${file}.new`]) symlinkSync(`${dir}/victim`, link)
  const info = { pid: 1, port: 2, url: 'http://127.0.0.1:2' }
  const remove = writeServerInfo(file, info)
  t.equal(readFileSync(`${dir}/victim`, 'utf8'), 'untouched', 'nothing is written through a link')
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), info)
  t.equal(statSync(file).mode & 0o777, 0o600)
  remove()
  t.notOk(existsSync(file))
  remove()
  const before = writeServerInfo(file, info)
  writeServerInfo(file, { ...info, pid: 3 })
  before()
  t.match(JSON.parse(readFileSync(file, 'utf8')), { pid: 3 }, 'that of the next one stays')
  const left = readdirSync(dir)
  t.throws(() => writeServerInfo(dir, info), { code: /EISDIR|ENOTEMPTY|EEXIST/ })
  t.throws(() => writeServerInfo(`${dir}/nowhere/info.json`, info), { code: 'ENOENT' })
  t.strictSame(readdirSync(dir), left, 'nothing is left lying about')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal}: a running stream ends as an explained failure after its grace, new requests are turned away, exit 0`, async t => {
    const upstream = await startRawUpstream(t, streaming)
    const dir = t.testdir({ 'config.json': '{ "times": { "drain": 300 } }' })
    const { child, exit, printed } = start(t, ['--port=0', '--config', `${dir}/config.json`, '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1` })
    const { pid, port, url } = await serverInfo(dir)
    t.equal(pid, child.pid)
    t.equal(statSync(`${dir}/info.json`).mode & 0o777, 0o600)
    t.equal(url, `http://127.0.0.1:${port}`)
    const stream = new RawClient(t, port)
    stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
    const idle = new RawClient(t, port)
    idle.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    t.match(await idle.answer(), { status: 200, body: '{"status":"ready"}' })
    await stream.until(() => stream.received.includes('data: 1\n\n'))
    child.kill(signal)
    await printed('draining')
    idle.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    t.match(await idle.answer(), { status: 503, headers: { 'retry-after': '1' } }, 'readiness falls')
    const late = new RawClient(t, port)
    late.write('GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
    t.match(await late.answer(), { status: 503, body: /"code":"draining"/ })
    t.match((await stream.answer()).body, /data: 1\n\nevent: error\ndata: .*"code":"draining".*\n\nevent: response\.failed/)
    t.strictSame(await exit, [0, null])
    t.notOk(existsSync(`${dir}/info.json`), 'nobody finds what is gone')
  })
}

t.test('a second signal ends it at once', async t => {
  const upstream = await startRawUpstream(t, streaming)
  const dir = t.testdir({})
  const { child, exit, printed } = start(t, ['--port=0', '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1` })
  const { port } = await serverInfo(dir)
  const stream = new RawClient(t, port)
  stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
  await stream.until(() => stream.received.includes('data: 1\n\n'))
  child.kill('SIGTERM')
  await printed('draining')
  child.kill('SIGTERM')
  t.strictSame(await exit, [1, null], 'long before the grace is over')
})

t.test('a request that is answered in time is not cut by SIGTERM', async t => {
  let answer: (() => void) | undefined
  const arrived = new Promise<void>(resolve => { answer = resolve })
  let finish: (() => void) | undefined
  const upstream = await startUpstream(t, (_request, response) => { finish = () => response.end('whole'); answer?.() })
  const dir = t.testdir({})
  const { child, exit, printed } = start(t, ['--port=0', '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1`, CODEX_SIDECAR_PROBE: 'off' })
  const { url } = await serverInfo(dir)
  const pending = request(`${url}/v1/models`, { headers: bearer('good') })
  await arrived
  child.kill('SIGTERM')
  await printed('draining')
  child.kill('SIGHUP')
  await printed('no reload while draining')
  finish?.()
  const { statusCode, body } = await pending
  t.equal(statusCode, 200)
  t.equal(await body.text(), 'whole')
  t.strictSame(await exit, [0, null])
})

t.test('SIGHUP takes back what is held against tokens and ends nothing', async t => {
  let status = 401
  const upstream = await startUpstream(t, (_request, response) => { json(response, status, status === 401 ? deadKey : {}) })
  const dir = t.testdir({})
  const { child, exit, printed } = start(t, ['--port=0', '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1` })
  const { url } = await serverInfo(dir)
  const ask = async (): Promise<number> => {
    const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer('dead') })
    await body.dump()
    return statusCode
  }
  t.strictSame([await ask(), await ask()], [401, 401])
  t.strictSame(upstream.seen.length, 1, 'the default mode: one probe')
  status = 200
  t.equal(await ask(), 401, 'held')
  for (const times of ['"released":1', '"released":0']) {
    child.kill('SIGHUP')
    await printed(times)
    t.equal(await ask(), 200)
  }
  child.kill('SIGTERM')
  t.strictSame(await exit, [0, null])
})

/** A GET on a connection of one's own, and what it brings. */
async function get (client: RawClient, path: string, headers = '') {
  client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n${headers}\r\n`)
  const { status, body } = await client.answer()
  return { status, body }
}

/** An upstream that says its name, keeps streams open and sends WebSocket messages back. */
async function startNamed (t: Test, name: string) {
  const streams: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url?.endsWith('/responses') !== true) return json(response, 200, { name })
    streams.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.write('data: 1\n\n')
  })
  const sockets: Socket[] = []
  upstream.server.on('connection', socket => sockets.push(socket))
  new WebSocketServer({ server: upstream.server }).on('connection', socket => { socket.on('message', data => { socket.send(`${name}: ${(data as Buffer).toString()}`) }) })
  return { ...upstream, streams, sockets, probes: () => upstream.seen.filter(({ url }) => url === '/probe').length }
}

t.test('SIGHUP: new requests have the new configuration, on old connections too, and open streams go on', async t => {
  const [a, b] = [await startNamed(t, 'a'), await startNamed(t, 'b')]
  const dir = t.testdir({})
  const configure = (upstream: string, others: object): void => {
    const routes = [{ prefix: '/v1', upstream }, { prefix: '/same', upstream: a.url }, ...upstream === b.url ? [{ prefix: '/new', upstream }] : []]
    writeFileSync(`${dir}/config.json`, JSON.stringify({ ...others, routes: routes.map(route => ({ ...route, probePath: '/probe' })) }))
  }
  configure(a.url, { port: 0, serverInfo: `${dir}/info.json` })
  const program = start(t, ['--config', `${dir}/config.json`])
  const { port, url } = await serverInfo(dir)

  const [kept, stream] = [new RawClient(t, port), new RawClient(t, port)]
  t.strictSame(await get(kept, '/v1/models'), { status: 200, body: '{"name":"a"}' })
  t.match(await get(kept, '/same/models'), { status: 200 })
  t.match(await get(kept, '/new/models'), { status: 404 })
  stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
  await stream.until(() => stream.received.includes('data: 1\n\n'))
  const session = new WebSocket(`${url.replace('http', 'ws')}/v1/session`, { headers: bearer('good') })
  const say = async (text: string): Promise<string> => {
    session.send(text)
    const [answer] = await once(session, 'message') as [Buffer]
    return answer.toString()
  }
  await once(session, 'open')
  t.equal(await say('one'), 'a: one')
  t.equal(a.probes(), 2, 'one for each route')
  const before = [...a.sockets]

  configure(b.url, { port: 1, serverInfo: 'elsewhere', logLevel: 'debug', limits: { headerBytes: 8192, connections: 5 } })
  program.child.kill('SIGHUP')
  await program.printed(`/new/ goes to ${b.url}`)
  t.match(program.out, 'port stays 0 until a restart')
  t.match(program.out, 'serverInfo stays')
  t.strictSame(await get(kept, '/v1/models'), { status: 200, body: '{"name":"b"}' })
  t.strictSame(await get(kept, '/new/models'), { status: 200, body: '{"name":"b"}' })
  t.strictSame(await get(kept, '/same/models'), { status: 200, body: '{"name":"a"}' })
  t.strictSame([a.probes(), b.probes()], [2, 2], 'what is known of a token holds where its route is the same')
  t.match(await get(new RawClient(t, port), '/v1/models', `x: ${'x'.repeat(9_000)}\r\n`), { status: 431, body: /larger than 8192 bytes/ })

  t.equal(await say('two'), 'a: two', 'the WebSocket lives')
  a.streams[0]?.write('data: 2\n\n')
  await stream.until(() => stream.received.includes('data: 2\n\n'))
  const { body } = await get(kept, '/metrics')
  for (const line of [
    'codex_sidecar_requests_total{route="/v1",status="200",code="",source="probe",lane="verified",ending="whole"} 2',
    'codex_sidecar_lane_in_flight{route="/v1",lane="verified"} 1', 'codex_sidecar_tunnels_open 1', 'codex_sidecar_verdicts 3'
  ]) t.ok(body.split('\n').includes(line), `${line}\n${body.split('\n').filter(other => other.startsWith(line.split('{')[0] ?? '')).join('\n')}`)

  const status = JSON.parse((await get(kept, '/status')).body) as { listening: string, refusals: { code: string }[], routes: { path: string }[] }
  t.match(status, { listening: url, routes: [{ path: '/v1/' }, { path: '/same/' }, { path: '/new/' }] })
  t.strictSame(status.refusals.map(({ code }) => code), ['headers_too_large', 'no_route'], 'that from before the reload too')

  a.streams[0]?.end('event: response.completed\ndata: {}\n\n')
  t.match(await stream.answer(), { status: 200, body: 'data: 1\n\ndata: 2\n\nevent: response.completed\ndata: {}\n\n' })
  t.match(await get(stream, '/v1/models'), { status: 200, body: '{"name":"b"}' })
  session.close()
  await Promise.all([once(session, 'close'), ...before.map(socket => socket.closed || once(socket, 'close'))])
  t.pass('nothing of the old configuration is left')
  program.child.kill('SIGHUP')
  program.child.kill('SIGTERM')
  t.strictSame(await program.exit, [0, null])
})

t.test('a storm of SIGHUPs: what is asked for again and again is done at once, and once more for all; never twice at a time, nor after its end', async t => {
  const ends: (() => void)[] = []
  let begun = 0
  const coalesced = new Coalesced(async () => {
    begun++
    await new Promise<void>(resolve => { ends.push(resolve) })
  })
  for (let i = 0; i < 300; i++) coalesced.ask()
  while (ends.length < 1) await new Promise(resolve => setImmediate(resolve))
  await new Promise(resolve => setTimeout(resolve, 300)) // the second is due by now
  t.equal(begun, 1, 'the first is not over')
  coalesced.ask()
  ends[0]?.()
  while (ends.length < 2) await new Promise(resolve => setImmediate(resolve))
  ends[1]?.()
  while (ends.length < 3) {
    coalesced.ask() // without end, yet it is done
    await new Promise(resolve => setImmediate(resolve))
  }
  coalesced.ask()
  ends[2]?.()
  await coalesced.end()
  await new Promise(resolve => setTimeout(resolve, 300))
  t.equal(begun, 3)
})

t.test('a storm of SIGHUPs that come one by one, each after the reload that the one before began, makes few', async t => {
  let done = 0
  const coalesced = new Coalesced(async () => { await new Promise<void>(resolve => { setImmediate(() => { done++; resolve() }) }) })
  for (let i = 0; i < 300; i++) {
    coalesced.ask()
    for (let turns = 0; turns < 3; turns++) await new Promise(resolve => setImmediate(resolve))
  }
  t.ok(done > 0 && done < 10, `${done}`)
  while (done < 2) await new Promise(resolve => setTimeout(resolve, 50))
  await coalesced.end()
})

t.test('SIGHUP: a configuration with mistakes changes nothing; a stop ends what an older one had under way', async t => {
  const [a, b] = [await startNamed(t, 'a'), await startNamed(t, 'b')]
  const dir = t.testdir({})
  const configure = (content: object): void => { writeFileSync(`${dir}/config.json`, JSON.stringify(content)) }
  configure({ openaiUpstream: a.url, times: { drain: 100 } })
  const program = start(t, ['--port=0', '--config', `${dir}/config.json`, '--server-info', `${dir}/info.json`])
  const { port } = await serverInfo(dir)
  const [client, stream] = [new RawClient(t, port), new RawClient(t, port)]
  stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
  await stream.until(() => stream.received.includes('data: 1\n\n'))
  configure({ openaiUpstream: b.url, colour: 'red', times: { drain: 0 } })
  program.child.kill('SIGHUP')
  await program.printed('so the old one stays')
  t.match(program.out, /"error":"ConfigError","mistakes":\["[^"]+colour: no such option","[^"]+times\.drain: is 0, allowed/)
  t.match(await get(client, '/v1/models'), { body: '{"name":"a"}' })
  configure({ openaiUpstream: b.url })
  program.child.kill('SIGHUP')
  await program.printed(`/v1/ goes to ${b.url}`)
  t.match(await get(client, '/v1/models'), { body: '{"name":"b"}' })
  program.child.kill('SIGTERM')
  t.match((await stream.answer()).body, /data: 1\n\nevent: error\ndata: .*"code":"draining".*\n\nevent: response\.failed/)
  t.strictSame(await program.exit, [0, null])
})

for (const [reader, leave] of Object.entries<(stdout: Readable) => void>({ 'does not read': stdout => { stdout.pause() }, 'is gone': stdout => { stdout.destroy() } })) {
  t.test(`a log whose reader ${reader} holds nothing up, the end neither`, async t => {
    const program = start(t, ['--port=0'])
    const { child, exit, printed } = program
    await printed('/v1/messages/ goes to')
    const client = new RawClient(t, Number(/"listening on http:\/\/127\.0\.0\.1:(\d+)"/.exec(program.out)?.[1]))
    leave(program.stdout)
    const [requests, path] = [5_000, '/nowhere'.repeat(300)] // more bytes of lines than Node, the system and we hold: 12 MB
    for (let i = 0; i < requests / 100; i++) client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(100))
    for (let i = 0; i < requests; i++) await client.answer()
    child.kill('SIGTERM')
    t.strictSame(await exit, [0, null])
  })
}

t.test('an uncaught error ends it in order, with its kind in the log and without its words', async t => {
  const program = start(t, ['--port=0'], {}, ['--import', 'data:text/javascript,process.once("SIGUSR2",()=>{throw new RangeError(["secret","words"].join(" "))})'])
  await program.printed('/v1/ goes to')
  program.child.kill('SIGUSR2')
  await program.printed('uncaught error')
  t.strictSame(await program.exit, [1, null])
  t.match(program.out, '"type":"RangeError"')
  t.notMatch(program.out + program.err, 'secret words')
})

t.test('what can not be started says why: a port that is taken, a server info file that can not be written, an address for all', async t => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const blocked = start(t, ['--port', String(port)])
  const nowhere = start(t, ['--host', 'nobody.invalid'])
  const open = start(t, ['--host=0.0.0.0', '--port=0', '--server-info', '/nowhere/at/all.json'])
  const named = start(t, ['--host=localhost', '--port=0'])
  const six = start(t, ['--host=::1', '--port=0'])
  t.strictSame(await blocked.exit, [1, null])
  t.match(blocked.err, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port} \\(EADDRINUSE\\)\\. Something else listens there`))
  t.strictSame(await nowhere.exit, [1, null])
  t.match(nowhere.err, /cannot listen on nobody\.invalid:7257 \(E\w+\)\.\n/)
  await open.printed('cannot be written (ENOENT)')
  t.match(open.out, /everyone who reaches this address/)
  t.match(open.out, /http:\/\/127\.0\.0\.1:\d+\/v1\/ goes to https:\/\/api\.openai\.com\/v1\//)
  open.child.kill('SIGTERM')
  t.strictSame(await open.exit, [0, null])
  await named.printed('listening on http://127.0.0.1:')
  named.child.kill('SIGTERM')
  t.strictSame(await named.exit, [0, null])
  await six.printed('/v1/ goes to')
  t.match(six.out, /http:\/\/\[::1\]:\d+\/v1\/ goes to/)
  six.child.kill('SIGTERM')
  await six.exit
})

t.test('only a V8 that knows it is given a flag', async t => {
  const set: string[] = []
  for (const v8 of ['11.3.244.8-node.30', '12.4.254.21-node.33', '13.6.233.17-node.53', '15.0.1-node.1']) saveMemory(v8, flag => { set.push(`${v8} ${flag}`) })
  t.match(set, [/^13\..* --scavenger-max-new-space-capacity-mb=2$/])
  t.equal(set.length, 1)
})
