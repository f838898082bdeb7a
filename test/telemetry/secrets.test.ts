import { readdirSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { inspect } from 'node:util'
import t from 'tap'
import { request } from 'undici'
import { createCredentialReader } from '../../src/credential/credential.ts'
import type { Status } from '../../src/status/status.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { shownPath, withoutSecrets } from '../../src/wire/secrets.ts'
import { issued } from '../fixtures/certificate.ts'
import { say } from '../fixtures/program.ts'
import { startHttpProxy, startSocksProxy } from '../fixtures/proxies.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { logSink, startSidecar } from '../fixtures/sidecar.ts'
import { at, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

const CANARY = 'CANARY0123456789abcdefghijklmnopqrstuvwxyz'
/** Parts of the canary, as it stands and in the encodings it could slip out in. */
const traces = [CANARY.slice(0, 12), CANARY.slice(-12), Buffer.from(CANARY).toString('base64url').slice(4, 20), Buffer.from(CANARY).toString('hex').slice(0, 20)]
const leaks = (text: string): string[] => traces.filter(trace => text.includes(trace))

t.test('a token that goes every way is in no log line, error body, metric or file', async t => {
  const upstream = await startUpstream(t, ({ url, socket }, response) => {
    if (url?.includes('dead')) json(response, 401, deadKey)
    else if (url?.includes('hang')) response.writeHead(401, { 'content-length': 10 }).write('{')
    else if (url?.includes('reset')) socket.resetAndDestroy()
    else if (url?.includes('responses')) { response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n', () => setImmediate(() => socket.destroy())) }
    else if (url?.includes('garbage')) socket.end('no HTTP\r\n\r\n')
    else json(response, 200, {})
  })
  const dir = t.testdir({})
  const { port, url, lines } = await startSidecar(t, { upstream: upstream.url, logLevel: 'trace', times: { errorBody: 50 } })
  const bodies: string[] = []
  const send = async (path: string, ...fields: string[]): Promise<void> => {
    const client = new RawClient(t, port)
    client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nOriginator: codex_cli_rs\r\n${fields.map(f => `${f}\r\n`).join('')}\r\n`)
    const { rawHead, body } = await client.answer()
    bodies.push(rawHead, body)
  }
  const claim = { canary: CANARY }
  for (const path of ['good', 'good', 'dead', 'dead', 'hang', 'reset', 'responses', 'garbage', `x?key=${CANARY}`]) await send(`/v1/${path}`, `Authorization: Bearer ${CANARY}-${path.replace(/\?.*/, '')}`)
  for (const value of [`${CANARY},`, `${CANARY} ${CANARY}`, `Bearer ${CANARY}`, `${CANARY}\x01`, `${CANARY}\xe9`, jwt({ ...claim, exp: at(-500) }), jwt({ ...claim, nbf: at(500) }), `sk-ant-${CANARY}`]) {
    await send('/v1/models', `Authorization: Bearer ${value}`)
  }
  await send('/v1/models', `Authorization: ${CANARY}`)
  await send('/v1/models', `Authorization: AgentAssertion ${CANARY}`)
  await send('/v1/models', `Authorization: Bearer ${CANARY}`, `Authorization: Bearer ${CANARY}2`)
  await send('/v1/messages', `x-api-key: ${CANARY}`)
  await send('/backend-api/x', `Authorization: Bearer ${jwt(claim, 'a')}`, 'chatgpt-account-id: b')
  await send('/nowhere', `Authorization: Bearer ${CANARY}`)
  await send('/livez', `Authorization: Bearer ${CANARY}`)
  for (const path of ['/metrics', '/status', '/status?find=CANARY']) bodies.push(await (await request(`${url}${path}`)).body.text())
  const status = JSON.parse(bodies.at(-2) ?? '') as Status
  t.ok(status.verdicts.list.length > 2 && status.refusals.length > 10, `the status tells ${status.verdicts.list.length} verdicts and ${status.refusals.length} refusals`)
  await new Promise(resolve => setImmediate(resolve))

  t.ok(lines().length > 20, 'there is a log to look through')
  t.strictSame(leaks(JSON.stringify(lines())), [], 'no log line')
  t.strictSame(leaks(bodies.join('\n')), [], 'no answer and no metric')
  t.strictSame(readdirSync(dir).flatMap(file => leaks(readFileSync(`${dir}/${file}`, 'utf8'))), [], 'no file')
  t.ok(upstream.seen.some(({ headers }) => leaks(headers.authorization ?? '').length > 0), 'only the upstream gets it')
})

t.test('a credential shows its fingerprint and nothing else, and another one in another process', async t => {
  const read = createCredentialReader()
  const of = (reader: typeof read) => {
    const presented = reader(['authorization', `Bearer ${CANARY}`], ['authorization'])
    if (presented.kind !== 'credential') throw new Error('unreachable')
    return presented.credential
  }
  const credential = of(read)
  t.match(String(credential), /^[0-9a-f]{8}$/)
  t.equal(JSON.stringify({ credential }), `{"credential":"${String(credential)}"}`)
  for (const shown of [inspect(credential), inspect({ credential }, { depth: 9, showHidden: true }), String(credential), Object.values(credential).join()]) t.strictSame(leaks(shown), [])
  t.equal(credential.reveal(), CANARY, 'but for its one door')
  t.equal(of(read).fingerprint, credential.fingerprint)
  t.not(of(createCredentialReader()).fingerprint, credential.fingerprint)
})

t.test('a path is shown without those of its parts that look like a secret', async t => {
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const { port, url, lines } = await startSidecar(t, { upstream: upstream.url, logLevel: 'trace' })
  const secret = 'sk-Hunter2SecretKey99'
  const paths = [`/v1/models;api_key=${secret}`, `/v1/bot${secret}/getMe`, `/nope/${secret}`, '/nope/token=hunter2', `http://user:${secret}@h/v1/models`, `ftp://user:${secret}@h/v1/models`, 'ftp://user:hunter2@h/x']
  for (const path of paths) {
    const client = new RawClient(t, port)
    client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await client.answer()
  }
  for (const field of [`Expect: ${secret}`, `Transfer-Encoding: ${secret}, chunked`]) {
    const client = new RawClient(t, port)
    client.write(`GET /v1/models HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\n`)
    await client.answer()
  }
  await (await request(`${url}/status`, { headers: { host: `${secret}.test` } })).body.dump()
  const status = await (await request(`${url}/status`)).body.text()
  const page = await (await request(`${url}/metrics`)).body.text()
  t.ok(lines().length >= paths.length)
  t.notMatch(JSON.stringify(lines()) + status + page, /hunter2/i)
  for (const path of ['/v1/models', '/v1/responses', '/v1/messages/count_tokens', '/backend-api/codex/responses', '/v1/responses/resp_1', '/v1/chat/completions']) t.equal(shownPath(`${path}?a=b`), path)
  // As long as a head may be: where each character is looked at again for each other one, these take minutes.
  for (const part of ['a.', '-', 'é!a:', 'sk-.', 'key=', '//', 'token ', '%41', 'eyJ.']) {
    for (let i = 0; i < 4; i++) t.type(shownPath(`/v1/${part.repeat(120_000 / part.length)}`), 'string')
  }
  t.equal(withoutSecrets('http://'.repeat(150_000)).length, 7 * 150_000, 'nor what an upstream says')
  const long = `/v1/${';'.repeat(120_000)}`
  t.equal(shownPath(long), `/v1/${';'.repeat(1_996)}…`, 'a long one takes no longer, and fills no log')
  t.equal(shownPath(`/v1/${'a/'.repeat(990)}${secret.repeat(100)}`), `/v1/${'a/'.repeat(990)}…`, 'it is cut where one of its parts ends')
  t.equal(shownPath('x'.repeat(3_000)), '…')
  t.strictSame([shownPath(`/nope/${secret}/x`), shownPath('ftp://a:b@h/x')], ['/nope/***/x', 'ftp://***@h/x'])
  for (const path of ['/v1/responses/resp_68af1c2e9d7481908f3b2a', '/v1/files/file-9AbCdEfGhIjKlMnOpQrStUvW', '/x/0b9e2f9a-5d0c-4d5e-9d53-0f6f6b2b7c11']) t.equal(shownPath(path), path, 'a name is no secret')
})

t.test('a proxy’s password is in no log line, answer, metric or page, whatever becomes of what goes through it', async t => {
  const upstream = await startUpstream(t, (_request, response) => { response.end() })
  const knows = { 'there.test:80': Number(new URL(upstream.url).port) }
  const { ca, ...identity } = await issued('localhost')
  const bodies: string[] = []
  const dir = t.testdir({ 'ca.pem': ca })
  for (const wants of [`user:${CANARY}`, 'another:one']) {
    const ports = {
      http: (await startHttpProxy(t, { knows, wants })).port, https: (await startHttpProxy(t, { knows, wants, tls: identity })).port, socks5h: (await startSocksProxy(t, { knows, wants })).port
    }
    for (const [scheme, port] of Object.entries(ports)) {
      for (const to of ['http://there.test', 'https://there.test', 'http://gone.test']) {
        const env = { ALL_PROXY: `${scheme}://user:${CANARY}@localhost:${port}` }
        const { port: own, url, app, lines } = await startSidecar(t, { upstream: to, logLevel: 'trace', env, config: { ca: [ca] } })
        for (const path of ['/v1/models', '/metrics', '/status', '/readyz', '/livez']) bodies.push(await (await request(`${url}${path}`, { headers: { authorization: 'Bearer good' } })).body.text())
        bodies.push(await (await request(`${url}/status`, { headers: { accept: 'text/html' } })).body.text())
        const client = new RawClient(t, own)
        client.write('GET /v1/responses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
        const { rawHead, body } = await client.answer()
        bodies.push(rawHead, body, JSON.stringify(lines()), inspect(app.generation.config, { depth: 9, showHidden: true }))
        if (to !== 'http://there.test') continue
        const upstreams = Object.fromEntries(['CHATGPT', 'OPENAI', 'ANTHROPIC'].map(name => [`CODEX_SIDECAR_${name}_UPSTREAM`, `${to}/v1/`]))
        for (const args of [['doctor'], ['doctor', '--json'], ['check'], ['status']]) {
          const { out, err } = await say([...args, '--port', String(own)], { ...env, ...upstreams, HOME: dir })
          bodies.push(out, err)
          if (args.length === 2) t.match(out, /ALL_PROXY/, 'the proxy is spoken of')
        }
      }
    }
  }
  t.strictSame(leaks(bodies.join('\n')), [])
  t.notMatch(bodies.join('\n'), Buffer.from(`user:${CANARY}`).toString('base64').slice(0, 20), 'nor as it is sent')
  t.match(upstream.seen.filter(({ method }) => method === 'GET').length, 6, 'with it requests and handshakes get through')
  t.ok(upstream.seen.every(({ headers }) => headers['proxy-authorization'] === undefined), 'and the upstream does not see it')
})

t.test('nor in what is said of a proxy that can not be used', async t => {
  const dir = t.testdir({ 'config.json': JSON.stringify({ routes: [{ prefix: '/v1', upstream: 'https://there.test/v1', proxy: `socks4://user:${CANARY}@proxy.test` }] }) })
  const said: string[] = []
  for (const HTTPS_PROXY of [`socks4://user:${CANARY}@proxy.test`, `http://user:${CANARY}@`, `user:${CANARY}@proxy.test:port`, `http://user:a/${CANARY}@proxy.test:1`, `http://user:${CANARY}@proxy.test:99999`, `socks5://user:${CANARY.repeat(9)}@proxy.test`]) {
    for (const command of [[], ['doctor'], ['doctor', '--json'], ['check']]) {
      const { code, out, err } = await say(command, { HOME: dir, HTTPS_PROXY })
      t.equal(code, 2)
      said.push(out, err)
    }
  }
  for (const command of [[], ['doctor', '--json'], ['check']]) {
    const { code, out, err } = await say([...command, '--config', `${dir}/config.json`], { HOME: dir })
    t.equal(code, 2)
    said.push(out, err)
  }
  t.match(said.join('\n'), 'HTTPS_PROXY: is "socks4://***@proxy.test"')
  t.strictSame(leaks(said.join('\n')), [])
})

t.test('the log takes no request, no response and no words of a foreign error', async t => {
  const { destination, lines } = logSink()
  const log = createLog({ level: 'trace', destination })
  const cause = Object.assign(new TypeError(CANARY), { headers: { authorization: CANARY } })
  log.info({ err: Object.assign(new Error(CANARY, { cause }), { code: 'ECONNRESET' }), req: { headers: { authorization: CANARY } }, res: { getHeaders: () => CANARY } })
  log.error({ err: CANARY })
  t.strictSame(leaks(JSON.stringify(lines)), [])
  t.match(lines, [{ err: { type: 'Error', code: 'ECONNRESET', cause: { type: 'TypeError' } } }, { err: { type: 'string' } }])
  log.warn(new Error(CANARY))
  log.warn('words of our own')
  t.strictSame(leaks(JSON.stringify(lines)), [])
  t.match(lines.at(-1), { msg: 'words of our own' })
  const person = new PassThrough({ encoding: 'utf8' })
  createLog({ level: 'info', human: true, destination: person }).info({ token: 'abcd1234' }, 'for a person')
  t.match(String(await once(person, 'data')), /for a person.*abcd1234/s)
})
