import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { bearer } from '../../fixtures/token.ts'
import { RawClient } from '../../fixtures/raw-client.ts'
import { inside, link, shell, startProgram, startUpstreamThere } from './inside.ts'

// A machine that sleeps for 10 minutes: the built program stands still (SIGSTOP), its clock is moved (Debian's faketime),
// and its connections to the upstream are gone meanwhile. What came for it while it slept is there when it wakes up.

const MINUTES = 600
const library = readdirSync('/usr/lib').map(folder => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`).find(path => existsSync(path))
const ADDRESSES = ['10.99.0.2', '10.99.0.3'] as const

const head = `Host: localhost\r\nAuthorization: Bearer good\r\n`
const upload = Buffer.alloc(5_000_000, 'x')
/** First requests after the sleep, each with its id. */
const kinds: Readonly<Record<string, (id: number) => (string | Buffer)[]>> = {
  GET: id => [`GET /v1/models?id=${id} HTTP/1.1\r\n${head}\r\n`],
  'small POST': id => [`POST /v1/responses?id=${id} HTTP/1.1\r\n${head}Content-Length: 2\r\n\r\n{}`],
  'POST of a stream': id => [`POST /v1/responses?id=${id}&beats=5&beat=10 HTTP/1.1\r\n${head}Accept: text/event-stream\r\nContent-Length: 15\r\n\r\n{"stream":true}`],
  WebSocket: id => [`GET /v1/responses?id=${id} HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`, '\x81\x85\0\0\0\0hello'],
  'upload of 5 MB': id => [`POST /v1/files?id=${id} HTTP/1.1\r\n${head}Content-Length: ${upload.length}\r\n\r\n`, upload]
}

await inside(import.meta.filename, ['ip'], async (t, main) => {
  if (library === undefined) return void t.pass('skipped: no libfaketime in /usr/lib: install Debian\'s package faketime')
  const dir = t.testdir({ offset: '+0\n', hosts: '' })
  shell(`mount --bind ${dir}/hosts /etc/hosts; ${link}; ip addr add 10.99.0.1/24 dev near`)
  const mac = shell('ip netns exec there cat /sys/class/net/far/address').trim()
  for (const address of ADDRESSES) shell(`ip neigh add ${address} lladdr ${mac} dev near nud permanent`)
  let at = 0
  let slept = 0
  let id = 0
  /** The upstream moves to another address: whatever is sent to the last one vanishes. */
  const move = (): void => {
    if (shell('ip -n there -4 addr show far').includes('inet')) shell(`ip -n there addr del ${ADDRESSES[at]}/24 dev far`)
    at = 1 - at
    shell(`ip -n there addr add ${ADDRESSES[at]}/24 dev far`)
    writeFileSync(join(dir, 'hosts'), `127.0.0.1 localhost\n${ADDRESSES[at]} upstream.test\n`)
  }
  move()
  const upstream = await startUpstreamThere(t)
  const ways: Readonly<Record<string, () => Promise<void>>> = {
    'vanish without a word': async () => { move() },
    'are reset while it sleeps': async () => { await upstream.reset() },
    'are reset once they are spoken to': async () => {
      shell('ip -n there link set far down')
      await upstream.reset()
      shell('ip -n there link set far up')
    }
  }

  /** A program of its own whose clock stands in a file. */
  const startSleeper = async (t: Test, bothClocks: boolean, options: object = {}) => {
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ probe: 'off', openaiUpstream: 'http://upstream.test/v1', ...options }))
    const program = await startProgram(t, main, {
      HOME: dir, CODEX_SIDECAR_CONFIG: join(dir, 'config.json'), LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: join(dir, 'offset'), FAKETIME_NO_CACHE: '1',
      ...bothClocks ? {} : { FAKETIME_DONT_FAKE_MONOTONIC: '1' }
    })
    const { child } = program
    return {
      ...program,
      /** Keeps four connections in the lane of good tokens. */
      prime: async () => {
        for (let i = 0; i < 2; i++) {
          const answers = await Promise.all(Array.from({ length: 4 }, () => request(`${program.url}/v1/models?wait=100&id=${++id}`, { headers: bearer('good') })))
          for (const { body } of answers) await body.dump()
        }
      },
      sleep: async (gone: () => Promise<void>) => {
        child.kill('SIGSTOP')
        while (!shell(`cat /proc/${child.pid}/stat`).includes(') T ')) await sleep(10)
        slept += MINUTES
        writeFileSync(join(dir, 'offset'), `+${slept}\n`)
        await gone()
      },
      wake: () => { child.kill('SIGCONT') }
    }
  }

  for (const bothClocks of [false, true]) {
    for (const [way, gone] of Object.entries(ways)) {
      await t.test(`${bothClocks ? 'both clocks go on' : 'only the wall clock goes on'}, and the connections ${way}`, async t => {
        const sleeper = await startSleeper(t, bothClocks)
        for (const [kind, messageFor] of Object.entries(kinds)) {
          await sleeper.prime()
          await sleeper.sleep(gone)
          const own = ++id
          const [first = '', rest] = messageFor(own)
          const client = new RawClient(t, sleeper.port)
          client.write(first)
          if (typeof rest === 'object') client.write(rest)
          await once(client.socket, 'connect')
          sleeper.wake()
          const began = performance.now()
          const answer = await client.answer()
          if (kind === 'WebSocket') {
            client.write(rest as string)
            await client.until(() => client.received.includes('hello'))
            t.match(client.received, '\x82\x05hello')
          }
          const ms = performance.now() - began
          t.comment(`${kind}: answered whole ${ms.toFixed(0)} ms after waking up`)
          t.match(answer, { status: kind === 'WebSocket' ? 101 : 200, body: kind.startsWith('upload') ? `"bytes":${upload.length}` : kind.endsWith('stream') ? /response\.completed/ : /^/ }, kind)
          t.ok(ms < 5_000)
          t.equal(upstream.times(own), 1, `${kind}: the upstream sees it once`)
          client.socket.destroy()
        }
        t.ok(upstream.most() === 1, 'no request is seen twice')
      })
    }
  }

  await t.test('a WebSocket and a stream that were open before', async t => {
    for (const [way, gone] of Object.entries(ways)) {
      await t.test(way, async t => {
        const sleeper = await startSleeper(t, false, { times: { ping: 1_000, idleStream: 4_000 } })
        await sleeper.prime()
        const session = new WebSocket(`${sleeper.url.replace('http', 'ws')}/v1/responses?id=${++id}`, { headers: bearer('good') })
        await once(session, 'open')
        session.send('one')
        await once(session, 'message')
        const stream = new RawClient(t, sleeper.port)
        stream.write(`POST /v1/responses?id=${++id}&beats=3&beat=60000 HTTP/1.1\r\n${head}originator: codex_exec\r\nAccept: text/event-stream\r\nContent-Length: 15\r\n\r\n{"stream":true}`)
        await stream.until(() => stream.received.includes('response.created'))
        await sleeper.sleep(gone)
        session.send('two')
        const closed = once(session, 'close') as Promise<[number, Buffer]>
        sleeper.wake()
        const began = performance.now()
        const after = closed.then(() => performance.now() - began)
        const streamed = stream.until(() => stream.received.includes('response.failed')).then(() => performance.now() - began)
        const [code, reason] = await closed
        t.comment(`WebSocket: ${code} ${String(reason)} after ${(await after).toFixed(0)} ms; stream: explained after ${(await streamed).toFixed(0)} ms`)
        t.equal(code, 1011)
        t.match(String(reason), /^upstream_(?:timeout|reset): /)
        t.match(stream.received, /"code":"upstream_(?:timeout|reset)"/)
        t.ok(await after < 4_000, 'within two and a half times times.ping')
        t.ok(await streamed < 6_000, 'within times.idleStream, and two seconds')
      })
    }
  })
})
