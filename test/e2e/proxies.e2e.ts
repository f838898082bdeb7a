import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { readProxy } from '../../src/config/network/proxy.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { freePort } from '../fixtures/free-port.ts'
import { startEcho } from '../fixtures/proxies.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'

// Through the proxies that people have, as Debian ships them: tinyproxy, microsocks, dante-server.

const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAnthropic-Beta: one\r\nanthropic-beta: two\r\n\r\n'
const there = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

/** Starts a program and waits until it listens. */
async function start (t: Test, port: number, program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore' })
  t.teardown(() => { child.kill() })
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const [listens] = await Promise.race([once(socket, 'connect').then(() => [true]), once(socket, 'error').then(() => [false])]).catch(() => [false])
    socket.destroy()
    if (listens === true) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Each gives the URL of a proxy that it starts on a port. */
const proxies: Readonly<Record<string, { program: string, url: (t: Test, port: number) => Promise<string> }>> = {
  tinyproxy: {
    program: 'tinyproxy',
    url: async (t, port) => {
      const folder = t.testdir({ 'tinyproxy.conf': `Port ${port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth user secret\n` })
      await start(t, port, 'tinyproxy', '-d', '-c', `${folder}/tinyproxy.conf`)
      return `http://user:secret@127.0.0.1:${port}`
    }
  },
  microsocks: {
    program: 'microsocks',
    url: async (t, port) => {
      await start(t, port, 'microsocks', '-i', '127.0.0.1', '-p', String(port), '-u', 'user', '-P', 'secret')
      return `socks5h://user:secret@127.0.0.1:${port}`
    }
  },
  'dante-server': {
    program: 'danted',
    url: async (t, port) => {
      const folder = t.testdir({})
      writeFileSync(`${folder}/danted.conf`, `logoutput: stderr\ninternal: 127.0.0.1 port = ${port}\nexternal: lo\nclientmethod: none\nsocksmethod: none\nclient pass { from: 0/0 to: 0/0 }\nsocks pass { from: 0/0 to: 0/0 }\n`)
      await start(t, port, 'danted', '-f', `${folder}/danted.conf`)
      return `socks5://127.0.0.1:${port}`
    }
  }
}

for (const [name, { program, url }] of Object.entries(proxies)) {
  t.test(`requests and WebSockets through ${name}`, { skip: !there(program) && `${name} is not installed: apt-get install ${name}` }, async t => {
    const own = await selfSigned('localhost')
    const seen: string[][] = []
    const answer: RequestListener = ({ rawHeaders }, response) => {
      seen.push(rawHeaders)
      response.end('here')
    }
    const proxy = readProxy(await url(t, await freePort()), name)
    for (const [protocol, server] of [['http', createHttpServer(answer)], ['https', createTlsServer(own, answer)]] as const) {
      const upstream = `${protocol}://localhost:${await startEcho(t, server)}`
      const { port } = await startSidecar(t, { upstream, config: { ca: [own.cert], proxies: { before: () => proxy } } })
      const client = new RawClient(t, port)
      const began = performance.now()
      client.write(get)
      t.match(await client.answer(), { status: 200, body: 'here' }, protocol)
      t.comment(`${name}, ${protocol}: answered after ${(performance.now() - began).toFixed(0)} ms`)
      const beta = seen.at(-1)?.filter((_, i, all) => /^anthropic-beta$/i.test(all[i - 1] ?? ''))
      t.match(beta?.join(), /^one, ?two$/, 'both lines of a field arrive')
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/responses`, { headers: bearer('good') })
      await once(socket, 'open')
      socket.send('hello')
      t.equal(String((await once(socket, 'message'))[0]), 'hello', `${protocol}: a WebSocket`)
      socket.close()
      await once(socket, 'close')
    }
  })
}
