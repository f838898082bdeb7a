import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, watch } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { RawClient } from './fixtures/raw-client.ts'
import { bearer } from './fixtures/token.ts'
import { deadKey, json, startRawUpstream, startUpstream } from './fixtures/upstream.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** The program as a process of its own; killed with the test if it still runs. */
function start (t: Test, args: string[], env: Record<string, string> = {}, node: string[] = []) {
  const child = spawn(process.execPath, [...process.execArgv, ...node, main, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  const waiting = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); for (const wake of waiting) wake() })
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString() })
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  t.teardown(() => child.kill('SIGKILL'))
  const printed = (text: string): Promise<void> => new Promise((resolve, reject) => {
    const look = (): void => { if (out.includes(text)) resolve() }
    waiting.add(look)
    look()
    void exit.then(() => { reject(new Error(`it ended before it printed ${text}: ${out} ${err}`)) })
  })
  return { child, exit, printed, get out () { return out }, get err () { return err } }
}

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

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal}: a running stream ends as an explained failure after its grace, new requests are turned away, exit 0`, async t => {
    const upstream = await startRawUpstream(t, streaming)
    const dir = t.testdir({ 'config.json': '{ "times": { "drain": 300 } }' })
    const { child, exit, printed } = start(t, ['--port=0', '--config', `${dir}/config.json`, '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1` })
    const { pid, port, url } = await serverInfo(dir)
    t.equal(pid, child.pid)
    t.equal(url, `http://127.0.0.1:${port}`)
    const stream = new RawClient(t, port)
    stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
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
  })
}

t.test('a second signal ends it at once', async t => {
  const upstream = await startRawUpstream(t, streaming)
  const dir = t.testdir({})
  const { child, exit, printed } = start(t, ['--port=0', '--server-info', `${dir}/info.json`], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1` })
  const { port } = await serverInfo(dir)
  const stream = new RawClient(t, port)
  stream.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
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
  t.strictSame(await blocked.exit, [1, null])
  t.match(blocked.err, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port} \\(EADDRINUSE\\)\\. Something else listens there`))
  const nowhere = start(t, ['--host', 'nobody.invalid'])
  t.strictSame(await nowhere.exit, [1, null])
  t.match(nowhere.err, /cannot listen on nobody\.invalid:7257 \(E\w+\)\.\n/)
  const open = start(t, ['--host=0.0.0.0', '--port=0', '--server-info', '/nowhere/at/all.json'])
  await open.printed('cannot be written (ENOENT)')
  t.match(open.out, /everyone who reaches this address/)
  t.match(open.out, /http:\/\/127\.0\.0\.1:\d+\/v1\/ goes to https:\/\/api\.openai\.com\/v1\//)
  open.child.kill('SIGTERM')
  t.strictSame(await open.exit, [0, null])
  const six = start(t, ['--host=::1', '--port=0'])
  await six.printed('/v1/ goes to')
  t.match(six.out, /http:\/\/\[::1\]:\d+\/v1\/ goes to/)
  six.child.kill('SIGTERM')
  await six.exit
})
