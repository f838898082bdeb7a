import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:https'
import { createServer as createTcpServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { issued, selfSigned } from '../../fixtures/certificate.ts'
import { RawClient } from '../../fixtures/raw-client.ts'
import { diagnose, inside, link, shell, startProgram } from './inside.ts'

// Name servers that lie, and addresses that lead nowhere, before the built program with its own upstreams: the names of the
// companies lead to stand-ins here, by a name server of the test's.

const TOKEN = 'CANARY-token-0123456789'
const [TRUTH, PORTAL] = ['127.0.0.2', '127.0.0.3']

/** Listens on a port of one of this namespace's addresses. */
async function listen (t: Test, server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
  t.teardown(() => { server.close() })
}

/** A name server that answers as told, until it is ended. */
async function startNames (t: Test, ...lines: string[]): Promise<{ end: () => Promise<void> }> {
  const child = spawn('dnsmasq', ['--no-daemon', '--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--user=root', '--pid-file=', '--listen-address=127.0.0.1', '--bind-interfaces', '--log-facility=-', ...lines], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exit = once(child, 'exit')
  t.teardown(async () => { child.kill('SIGKILL'); await exit })
  for await (const line of child.stderr) if (String(line).includes('started')) break
  return { end: async () => { child.kill('SIGKILL'); await exit } }
}

async function ask (url: string, path = '/v1/models') {
  const began = performance.now()
  const { statusCode, headers, body } = await request(`${url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } })
  const text = await body.text()
  return { status: statusCode, ours: headers['proxy-status'] !== undefined, text, ms: performance.now() - began }
}

await inside(import.meta.filename, ['dnsmasq', 'ip'], async (t, main) => {
  const company = await issued('api.openai.com')
  const files = t.testdir({ 'ca.pem': company.ca, 'resolv.conf': 'nameserver 127.0.0.1\n', 'config.json': '' })
  shell(`mount --bind ${files}/resolv.conf /etc/resolv.conf`)
  const config = (options: object): Record<string, string> => {
    writeFileSync(join(files, 'config.json'), JSON.stringify({ caFile: join(files, 'ca.pem'), ...options }))
    return { HOME: files, CODEX_SIDECAR_CONFIG: join(files, 'config.json') }
  }
  let served = 0
  await listen(t, createServer(company, (_request, response) => { served++; response.end('{"object":"list","data":[]}') }), 443, TRUTH)

  await t.test('a captive portal, until one has logged in there', async t => {
    const named = await selfSigned('portal.test') // trusted below
    const kinds = {
      'its own certificate, that nobody signed': { identity: await selfSigned('portal.test'), says: /its certificate is signed by nobody this machine trusts/, doctor: /signed by nobody this machine trusts/, mend: /log in/ },
      'a good certificate for its own name': { identity: named, ca: named.cert, says: /its certificate is for another name/, doctor: /its certificate is for another name: a login page of the network/, mend: /log in/ },
      'plain HTTP on 443': { identity: undefined, says: /it speaks no TLS/, doctor: /no TLS is spoken there: a login page/, mend: /log in/ }
    }
    for (const [kind, { identity, says, doctor, mend, ...more }] of Object.entries(kinds)) {
      for (const failures of [1, 8]) {
        await t.test(`${kind}, ${failures} requests`, async t => {
          const got: string[] = []
          const portal = identity === undefined
            ? createTcpServer(socket => { socket.on('error', () => {}); socket.on('data', chunk => { got.push(String(chunk)); socket.end('HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\nContent-Length: 0\r\n\r\n') }) })
            : createServer(identity, (message, response) => { got.push(JSON.stringify(message.rawHeaders)); response.writeHead(302, { location: 'http://portal.test/' }).end() })
          await listen(t, portal, 443, PORTAL)
          await listen(t, createHttpServer((message, response) => { got.push(JSON.stringify(message.rawHeaders)); response.end('log in') }), 80, PORTAL)
          const lying = await startNames(t, `--address=/#/${PORTAL}`)
          if ('ca' in more) writeFileSync(join(files, 'ca.pem'), `${company.ca}\n${more.ca}`)
          t.teardown(() => { writeFileSync(join(files, 'ca.pem'), company.ca) })
          const env = config({})
          const program = await startProgram(t, main, env)
          for (let i = 0; i < failures; i++) t.match(await ask(program.url), { status: 502, ours: true, text: /"code":"upstream_tls"/ })
          t.match((await ask(program.url)).text, says)
          if (failures === 1) {
            const { of, text } = await diagnose(main, env)
            t.match(of('upstream'), { severity: 'problem', result: doctor, mend })
            t.match(text, of('upstream')?.mend ?? '-')
          }
          t.notMatch(got.join(), /CANARY/, 'nothing of the token gets there')
          await lying.end()
          await startNames(t, `--address=/#/${TRUTH}`)
          const began = performance.now()
          const before = served
          let answer = await ask(program.url)
          while (answer.status !== 200 && performance.now() - began < 10_000) answer = await ask(program.url)
          const ms = performance.now() - began
          t.comment(`served ${ms.toFixed(0)} ms after the name server tells the truth`)
          t.match(answer, { status: 200, ours: false })
          t.ok(served > before)
          t.ok(ms < 2_000, 'within two seconds of it')
          t.notMatch(program.said, /CANARY/)
        })
      }
    }
  })

  await t.test('addresses that lead nowhere', async t => {
    // Packets for these addresses are sent into a link at whose other end nobody has them.
    shell(`${link}; ip addr add 10.99.0.1/24 dev near`)
    shell('ip -6 addr add 2001:db8::1/64 dev near nodad; ip -n there addr add 10.99.0.254/24 dev far')
    const nowhere = { 6: [2, 3, 4].map(n => `2001:db8::${n}`), 4: [2, 3, 4].map(n => `10.99.0.${n}`) }
    for (const [family, addresses] of Object.entries(nowhere)) for (const address of addresses) shell(`ip -${family} neigh add ${address} lladdr 02:00:00:00:00:01 dev near nud permanent`)
    const names = (...addresses: string[]): string[] => addresses.map(address => `--host-record=api.openai.com,${address}`)
    for (const [says, addresses, before] of [
      ['an IPv6 address', [nowhere[6][0] as string, TRUTH], ''],
      ['three IPv6 addresses', [...nowhere[6], TRUTH], ''],
      ['an IPv6 address without a route', [nowhere[6][0] as string, TRUTH], 'ip -6 addr del 2001:db8::1/64 dev near'],
      ['an IPv6 address whose route is a black hole', ['2001:db9::2', TRUTH], 'ip -6 addr add 2001:db8::1/64 dev near nodad; ip -6 route add blackhole 2001:db9::/64'],
      ['an IPv6 address that is prohibited', ['2001:dba::2', TRUTH], 'ip -6 route add prohibit 2001:dba::/64']
    ] as const) {
      await t.test(says, async t => {
        if (before !== '') shell(before)
        const server = await startNames(t, ...names(...addresses))
        const program = await startProgram(t, main, config({ probe: 'off' }))
        const answer = await ask(program.url)
        t.comment(`${says} beside a good one: served after ${answer.ms.toFixed(0)} ms`)
        t.match(answer, { status: 200 })
        t.ok(answer.ms < 1_000, 'it costs less than a second')
        await server.end()
      })
    }
    await t.test('all of them share times.connect', async t => {
      const server = await startNames(t, ...names(...nowhere[6], ...nowhere[4]))
      const env = config({ probe: 'off', times: { connect: 2_000 } })
      const program = await startProgram(t, main, env)
      const answer = await ask(program.url)
      t.comment(`six addresses that lead nowhere, times.connect 2 s: told after ${answer.ms.toFixed(0)} ms`)
      t.match(answer, { status: 504, text: /upstream_timeout.*no connection within the time allowed/ })
      t.ok(answer.ms > 1_900 && answer.ms < 3_000)
      t.match((await diagnose(main, env)).of('upstream'), { severity: 'problem', result: /no connection within 2000 ms/, mend: /open TCP to api\.openai\.com/ })
      await server.end()
    })
    await t.test('an upstream that only our own machine keeps us from is said to be so', async t => {
      for (const [route, says] of [['prohibit', /the rules of this machine do not allow it/], ['blackhole', /there is no route to it/], ['unreachable', /there is no route to it/]] as const) {
        shell(`ip route add ${route} 10.98.0.0/24`)
        const server = await startNames(t, ...names('10.98.0.1'))
        const env = config({ probe: 'off' })
        const program = await startProgram(t, main, env)
        t.match(await ask(program.url), { status: 502, text: /"code":"upstream_unreachable"/ }, route)
        t.match((await ask(program.url)).text, says)
        t.match((await diagnose(main, env)).of('upstream'), { severity: 'problem', mend: /./ })
        await server.end()
        shell(`ip route del ${route} 10.98.0.0/24`)
      }
    })
    await t.test('no name server, then one', async t => {
      const env = config({ probe: 'off' })
      const program = await startProgram(t, main, env)
      t.match(await ask(program.url), { status: 502, text: /upstream_unreachable.*its name does not resolve/ })
      t.match((await diagnose(main, env)).of('upstream'), { severity: 'problem', result: /its name does not resolve/, mend: /nslookup api\.openai\.com/ })
      await startNames(t, ...names(TRUTH))
      t.match(await ask(program.url), { status: 200 }, 'the next request is served')
    })
  })

  await t.test('a WebSocket’s handshake is told the same', async t => {
    await startNames(t, `--address=/#/${PORTAL}`)
    await listen(t, createServer(await selfSigned('portal.test')), 443, PORTAL)
    const { port } = await startProgram(t, main, config({}))
    const client = new RawClient(t, port)
    client.write(`GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
    t.match(await client.answer(), { status: 502, body: /"code":"upstream_tls"/ })
  })
})
