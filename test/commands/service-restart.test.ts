import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { WebSocket, WebSocketServer } from 'ws'
import { supervised } from '../../src/commands/service/supervisors/systemd-units.ts'
import { commandLine, startProcess } from '../fixtures/program.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

/** As systemd does: it has the socket, hands it to what it starts, and starts the next one when the one before has ended. */
const manager = `while read -r word; do case $word in
  start) sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' sh "$@" & own=$!;;
  stop) kill -TERM $own; wait $own;;
esac; done`

/** A manager with a socket of its own, and what is started by it prints. */
async function manage (t: Test, env: Record<string, string>) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const child = spawn('sh', ['-c', manager, 'sh', ...supervised({ command: commandLine([]) })], { stdio: ['pipe', 'pipe', 'inherit', fd], env: { ...process.env, ...env } })
  server.close()
  t.teardown(() => child.kill('SIGKILL'))
  const [stdin, stdout] = child.stdio as unknown as [Writable, Readable]
  let out = ''
  stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  const printed = async (text: string, times = 1): Promise<void> => { while (out.split(text).length <= times) await once(stdout, 'data') }
  return { port, printed, tell: (...words: string[]): void => { stdin.write(words.map(word => `${word}\n`).join('')) } }
}

/** New connections until it is told to stop. */
function knock (url: string) {
  /** Those that have no answer yet: a machine that is busy has not all of them waiting. */
  const MOST = 200
  const answers: (number | string)[] = []
  const events = new EventEmitter()
  const waiting = new Set<Promise<void>>()
  const one = async (): Promise<void> => {
    await request(url, { reset: true, headers: { authorization: 'Bearer good' }, headersTimeout: 0 }).then(async ({ statusCode, body }) => { await body.dump(); answers.push(statusCode) }, (error: unknown) => { answers.push((error as NodeJS.ErrnoException).code ?? String(error)) })
  }
  const timer = setInterval(() => {
    if (waiting.size >= MOST) return
    const asked = one().finally(() => { waiting.delete(asked); events.emit('answer') })
    waiting.add(asked)
  }, 1_000 / 50)
  const reach = async (count: number): Promise<void> => { while (answers.length < count) await once(events, 'answer') }
  const end = async (): Promise<(number | string)[]> => {
    clearInterval(timer)
    await Promise.all(waiting)
    return answers
  }
  return { answers, reach, end }
}

const hasSetpriv = await new Promise<boolean>(resolve => { spawn('setpriv', ['--pdeathsig', 'TERM', 'true']).on('error', () => { resolve(false) }).on('exit', code => { resolve(code === 0) }) })
const skip = !hasSetpriv && 'this machine has no setpriv'

t.test('a restart within 50 new connections a second: nobody is refused or turned away, no stream is cut', { skip }, async t => {
  const streams: ServerResponse[] = []
  const upstream = await startUpstream(t, ({ url }, response) => {
    if (url?.endsWith('/responses') !== true) return json(response, 200, {})
    streams.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.write('data: 1\n\n')
  })
  let think: (() => void) | undefined
  new WebSocketServer({ server: upstream.server }).on('connection', socket => {
    socket.on('message', (data: Buffer) => { if (data.toString() === 'think') think = () => { socket.send('thought') }; else socket.send(data.toString()) })
  })
  const { port, printed, tell } = await manage(t, { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1`, CODEX_SIDECAR_PROBE: 'off', CODEX_SIDECAR_DRAIN: '120000' })
  tell('start')
  await printed('listening on')
  const open = async (): Promise<RawClient> => {
    const client = new RawClient(t, port)
    client.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nOriginator: codex_cli_rs\r\nAuthorization: Bearer good\r\n\r\n')
    await client.until(() => client.received.includes('data: 1\n\n'))
    return client
  }
  /** A WebSocket that is in the middle of a turn. */
  const converse = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/responses`, { headers: { authorization: 'Bearer good' } })
    t.teardown(() => { socket.terminate() })
    const closed = once(socket, 'close') as Promise<[number, Buffer]>
    await once(socket, 'open')
    const ask = async (text: string): Promise<string> => {
      const heard = once(socket, 'message')
      socket.send(text)
      return String((await heard)[0])
    }
    return { ask, closed, heard: () => once(socket, 'message'), tell: (text: string) => { socket.send(text) } }
  }
  const finish = (): void => { streams.shift()?.end('event: response.completed\ndata: {}\n\n') }
  const [first, second, third] = [await open(), await open(), await open()]
  const [talking, thinking] = [await converse(), await converse()]
  thinking.tell('think')
  const knocking = knock(`http://127.0.0.1:${port}/v1/models`)
  await knocking.reach(25)
  t.equal(await talking.ask('one'), 'one')

  tell('stop', 'start')
  await printed('draining')
  t.equal(await talking.ask('two'), 'two', 'an open WebSocket goes on in the old process')
  finish()
  t.match((await first.answer()).body, /^data: 1\n\nevent: response\.completed\ndata: \{\}\n\n$/)
  first.write('GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n')
  t.match(await first.answer(), { status: 200, headers: { connection: 'close' } }, 'what comes on an old connection is served, and is the last there')
  await printed('listening on', 2)
  const later = await converse()
  t.equal(await later.ask('new'), 'new')
  await knocking.reach(knocking.answers.length + 25)
  for (const client of [second, third]) {
    finish()
    t.match((await client.answer()).body, /^data: 1\n\nevent: response\.completed\ndata: \{\}\n\n$/, 'the old process has time, and the new one takes what is new')
  }
  const thought = thinking.heard()
  think?.()
  t.equal(String((await thought)[0]), 'thought', 'also one whose answer takes its time')
  const ends = await Promise.all([talking, thinking].map(({ closed }) => closed))
  t.strictSame(ends.map(([code, reason]) => [code, String(reason)]), [[1012, 'codex-sidecar is restarting; connect again'], [1012, 'codex-sidecar is restarting; connect again']], 'they end by themselves')
  await printed('stopped')
  t.equal(await later.ask('more'), 'more')
  const answers = await knocking.end()
  t.strictSame([...new Set(answers)], [200], `${answers.length} connections`)
  t.comment(`${answers.length} new connections, ${answers.filter(answer => answer !== 200).length} refused or turned away, 3 streams and 2 WebSockets, 0 cut`)
  tell('stop')
  await printed('stopped', 2)
})

t.test('the shell before it hands on exit code and SIGHUP, and however it ends, the program is told', { skip }, async t => {
  const shell = (script: string) => startProcess(t, supervised({ command: ['sh', '-c', script] }))
  t.strictSame(await shell('exit 7').exit, [7, null])
  t.strictSame(await startProcess(t, supervised({ command: ['no-such-program'] })).exit, [127, null])
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const program = shell('sleep 600 & own=$!; trap "echo again" HUP; trap "echo told; kill $own; exit" TERM; echo up; while :; do wait $own; done')
    const stdout = program.child.stdout as Readable
    await program.printed('up')
    program.child.kill('SIGHUP')
    await program.printed('again')
    const ended = once(stdout, 'end')
    program.child.kill(signal)
    t.strictSame(await program.exit, [null, signal])
    await ended
    t.match(program.out, 'told')
  }
})
