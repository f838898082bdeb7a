import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { loadConfig } from '../../src/config/config.ts'
import { readProxy, type ForwardProxy } from '../../src/config/network/proxy.ts'
import { openSocksTunnel } from '../../src/upstream/connect/socks-tunnel.ts'
import { createWay } from '../../src/upstream/connect/way.ts'
import { issued, selfSigned } from '../fixtures/certificate.ts'
import { freePort } from '../fixtures/free-port.ts'
import { startEcho, startHttpProxy, startSocksProxy, type ProxyOptions } from '../fixtures/proxies.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar, type SidecarOptions } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'

const HOST = 'upstream.test'
const SECRET = 'p@ss:word/never-shown'
const USER = `user:${encodeURIComponent(SECRET)}`
const get = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAnthropic-Beta: one\r\nanthropic-beta: two\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n'

const certificates = Promise.all([issued(HOST), selfSigned('localhost')])

/** An upstream with and without TLS that answers with what it saw, and with WebSockets that echo. */
async function startBoth (t: Test) {
  const [own] = await certificates
  const seen: IncomingMessage[] = []
  const answer: RequestListener = (message: IncomingMessage, response: ServerResponse) => {
    seen.push(message)
    response.end('here')
  }
  const [plain, secure] = await Promise.all([startEcho(t, createServer(answer)), startEcho(t, createTlsServer(own, answer))])
  return { seen, knows: { [`${HOST}:80`]: plain, [`${HOST}:443`]: secure, '127.0.0.1:80': plain }, ca: own.ca }
}

/** The URL of a proxy, and what it was asked for. */
async function startProxy (t: Test, scheme: string, options: ProxyOptions) {
  const [, local] = await certificates
  const { port, asked } = scheme.startsWith('socks') ? await startSocksProxy(t, options)
    : await startHttpProxy(t, { ...options, ...scheme === 'https' ? { tls: local } : undefined })
  return { url: `${scheme}://${options.wants === undefined ? '' : `${USER}@`}localhost:${port}`, asked, cas: [local.cert] }
}

t.test('requests and WebSockets go through every kind of proxy', async t => {
  for (const scheme of ['http', 'https', 'socks5h']) {
    for (const protocol of ['http', 'https']) {
      for (const wants of [undefined, `user:${SECRET}`]) {
        await t.test(`${scheme} ${wants === undefined ? '' : 'with a password '}before ${protocol}`, async t => {
          const { seen, knows, ca } = await startBoth(t)
          const proxy = await startProxy(t, scheme, { knows, ...wants === undefined ? undefined : { wants } })
          const { port, lines: log } = await startSidecar(t, { upstream: `${protocol}://${HOST}`, env: { ALL_PROXY: proxy.url }, config: { ca: [ca, ...proxy.cas] } })
          const client = new RawClient(t, port)
          for (let i = 0; i < 2; i++) {
            client.write(get)
            t.match(await client.answer(), { status: 200, body: 'here' })
          }
          const whole = protocol === 'http' && scheme !== 'socks5h'
          const lines = whole ? ['one, two'] : ['one', 'two']
          t.strictSame(seen.map(({ rawHeaders }) => rawHeaders.filter((_, i) => /^anthropic-beta$/i.test(rawHeaders[i - 1] ?? ''))), [lines, lines], 'both lines of a field arrive')
          t.match(seen[0]?.headers.cookie, 'a=1; b=2')
          t.match(seen, [{ url: '/v1/models', headers: { host: HOST, 'proxy-authorization': undefined } }, {}])
          const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/responses`, { headers: bearer('good') })
          await once(socket, 'open')
          socket.send('hello')
          t.equal(String((await once(socket, 'message'))[0]), 'hello')
          socket.close()
          await once(socket, 'close')
          const to = `${HOST}:${protocol === 'http' ? 80 : 443}`
          const [first, ...rest] = proxy.asked
          t.match(first, { by: scheme === 'socks5h' ? 'name' : whole ? 'absolute form' : 'CONNECT', to, ...scheme === 'socks5h' && wants !== undefined ? { user: 'user' } : {} })
          t.match(rest, [...whole ? [{ by: 'absolute form', to }, { by: 'CONNECT', to }] : scheme === 'socks5h' ? [] : []], 'a kept connection is used again, and a WebSocket is never told as a whole URL')
          t.notMatch(JSON.stringify(log()), /never-shown|p@ss/)
        })
      }
    }
  }
})

t.test('with socks5 this machine resolves names, with socks5h the proxy', async t => {
  const { knows } = await startBoth(t)
  const { port, asked } = await startSocksProxy(t, { knows: { '127.0.0.1:80': knows['127.0.0.1:80'], 'localhost:80': knows['127.0.0.1:80'] } })
  for (const scheme of ['socks5', 'socks5h']) {
    const dir = t.testdir({ 'config.json': JSON.stringify({ port: 0, probe: 'off', routes: [{ prefix: '/v1', upstream: 'http://localhost/v1', proxy: `${scheme}://localhost:${port}` }] }) })
    const { url } = await startSidecar(t, { upstream: 'http://unused.test', config: loadConfig({ flags: { config: `${dir}/config.json` } }) })
    t.equal((await request(`${url}/v1/models`, { headers: bearer('good') })).statusCode, 200, 'a route’s own proxy stands before our loopback too')
  }
  t.strictSame(asked, [{ by: 'address', to: '127.0.0.1:80' }, { by: 'name', to: 'localhost:80' }])
})

/** What a client is told, and whether the token is in doubt afterwards. */
async function told (t: Test, options: Omit<SidecarOptions, 'upstream'>, upstream = `https://${HOST}`) {
  const { url } = await startSidecar(t, { upstream, ...options })
  const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer('good') })
  const { error } = await body.json() as { error: { code: string, message: string } }
  return { status: statusCode, code: error.code, message: error.message }
}

t.test('what goes wrong at a proxy is said so', async t => {
  const [own, local] = await certificates
  const unreachable = { status: 502, code: 'upstream_unreachable' }
  for (const scheme of ['http', 'socks5h']) {
    const { url } = await startProxy(t, scheme, { knows: {}, wants: `user:${SECRET}` })
    t.match(await told(t, { env: { HTTPS_PROXY: url } }), { ...unreachable, message: /the proxy on the way could not connect to it/ }, `${scheme}: the upstream is not there`)
    t.match(await told(t, { env: { HTTPS_PROXY: url.replace('user:', 'other:') } }), { ...unreachable, message: /the proxy on the way wants another user or password/ }, `${scheme}: another user`)
    t.match(await told(t, { env: { HTTPS_PROXY: url.replace(`${USER}@`, '') } }), { ...unreachable, message: /the proxy on the way wants another user or password/ }, `${scheme}: no user`)
    t.match(await told(t, { env: { HTTPS_PROXY: `${scheme}://127.0.0.1:${await freePort()}` } }), { ...unreachable, message: /the proxy on the way can not be reached/ }, `${scheme}: nobody there`)
    const hangup = await startRawUpstream(t, socket => { socket.once('data', () => { socket.destroy() }) })
    t.match(await told(t, { env: { HTTPS_PROXY: hangup.url.replace('http:', `${scheme}:`) } }), { ...unreachable, message: /the proxy on the way can not be reached, or hung up/ }, `${scheme}: hangs up`)
    const silent = await startRawUpstream(t, () => {})
    t.match(await told(t, { env: { HTTPS_PROXY: silent.url.replace('http:', `${scheme}:`) }, times: { connect: 100 } }), { status: 504, code: 'upstream_timeout', message: /no connection within the time allowed/ }, `${scheme}: says nothing`)
    const other = await startRawUpstream(t, socket => { socket.once('data', () => { socket.write('SSH-2.0-OpenSSH_9.9\r\n') }) })
    t.match(await told(t, { env: { HTTPS_PROXY: other.url.replace('http:', `${scheme}:`) } }), { ...unreachable, message: /the proxy on the way speaks another protocol than its URL says/ }, `${scheme}: is no proxy`)
  }
  const forbidding = await startRawUpstream(t, socket => { socket.once('data', () => { socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n') }) })
  t.match(await told(t, { env: { HTTPS_PROXY: forbidding.url } }), { ...unreachable, message: /the proxy on the way does not allow it/ })
  const ruled = await startRawUpstream(t, socket => {
    socket.once('data', () => { socket.write(Buffer.from([5, 0])); socket.once('data', () => { socket.write(Buffer.from([5, 2, 0, 1, 0, 0, 0, 0, 0, 0])) }) })
  })
  t.match(await told(t, { env: { HTTPS_PROXY: ruled.url.replace('http:', 'socks5h:') } }), { ...unreachable, message: /the proxy on the way does not allow it/ })
  const tls = await startHttpProxy(t, { knows: {}, tls: local })
  t.match(await told(t, { env: { HTTPS_PROXY: `https://localhost:${tls.port}` }, config: { ca: [own.ca] } }), { ...unreachable, message: /no secure connection to the proxy on the way/ })
  t.match(await told(t, { env: { HTTPS_PROXY: `socks5://localhost:${tls.port}` } }, 'https://nobody.invalid'), { ...unreachable, message: /its name does not resolve/ }, 'socks5: this machine resolves')
})

t.test('a SOCKS proxy that is silent for longer than the library waits is a time-out too', async t => {
  const { url } = await startRawUpstream(t, () => {})
  const proxy = readProxy(url.replace('http:', 'socks5h:'), 'ALL_PROXY') as ForwardProxy
  const socket = connect(proxy.port, '127.0.0.1')
  await once(socket, 'connect')
  await t.rejects(openSocksTunnel(socket, proxy, { hostname: HOST, port: 443 }, 1), { code: 'UND_ERR_CONNECT_TIMEOUT' })
})

t.test('an upstream without a name is asked for by its address, and our own requests go the same way', async t => {
  for (const scheme of ['http', 'socks5h']) {
    const { url, asked } = await startProxy(t, scheme, { knows: {} })
    t.match(await told(t, { env: { HTTPS_PROXY: url } }, 'https://10.0.0.1'), { message: /could not connect to it/ })
    t.match(asked, [{ to: '10.0.0.1:443' }])
    if (scheme === 'http') t.match(await told(t, { env: { HTTPS_PROXY: url } }, 'https://[2001:db8::1]:8443'), { message: /could not connect to it/ })
    t.match(asked[1]?.to, scheme === 'http' ? '[2001:db8::1]:8443' : undefined)
  }
  const { address } = createWay(`http://${HOST}`, loadConfig({ env: { HTTP_PROXY: 'http://user:password@proxy' } }))
  t.match(address({ path: '/a', method: 'GET', headers: { accept: 'x' } }), { path: `http://${HOST}/a`, headers: ['accept', 'x', 'Proxy-Authorization', 'Basic dXNlcjpwYXNzd29yZA=='] })
  t.match(address({ path: '/', method: 'GET' }), { path: `http://${HOST}/`, headers: ['Proxy-Authorization', /^Basic /] })
})

t.test('TLS is checked behind a proxy as without one', async t => {
  const { knows } = await startBoth(t)
  for (const scheme of ['http', 'socks5h']) {
    const { url } = await startProxy(t, scheme, { knows: { [`${HOST}:443`]: knows[`${HOST}:443`], 'other.test:443': knows[`${HOST}:443`] } })
    t.match(await told(t, { env: { HTTPS_PROXY: url } }), { status: 502, code: 'upstream_tls', message: /its certificate is signed by nobody this machine trusts/ }, 'nobody vouches for it')
    const [own] = await certificates
    t.match(await told(t, { env: { HTTPS_PROXY: url }, config: { ca: [own.ca] } }, 'https://other.test'), { code: 'upstream_tls', message: /its certificate is for another name/ })
    const cut = await startRawUpstream(t, socket => { socket.once('data', () => { socket.resetAndDestroy() }) })
    const cutting = await startProxy(t, scheme, { knows: { [`${HOST}:443`]: Number(new URL(cut.url).port) } })
    t.match(await told(t, { env: { HTTPS_PROXY: cutting.url } }), { code: 'upstream_unreachable', message: /it hung up during the TLS handshake/ })
  }
})
