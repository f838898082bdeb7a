import { writeFileSync } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { inspect } from 'node:util'
import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import { run } from '../../src/cli.ts'
import { ConfigError, loadConfig } from '../../src/config/config.ts'
import { readTrust, type NodeTrust } from '../../src/config/network/certificates.ts'
import { optionsSchema } from '../../src/config/options.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { expiredJwt, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

const mistakes = (sources: Parameters<typeof loadConfig>[0]): readonly string[] => {
  try {
    loadConfig(sources)
    return []
  } catch (error) {
    return (error as ConfigError).mistakes
  }
}

t.test('defaults', async t => {
  const { routes, ...config } = loadConfig()
  t.match(config, { host: 'localhost', port: 7257, logLevel: 'info', probe: 'first-use', lanes: { verified: 512, unverified: 64 } })
  t.strictSame(routes.map(({ prefix, upstream }) => [prefix, upstream]), [
    ['/backend-api', 'https://chatgpt.com/backend-api/'],
    ['/v1/messages', 'https://api.anthropic.com/v1/messages'],
    ['/v1', 'https://api.openai.com/v1/'],
    ['/v1', 'https://api.anthropic.com/v1/'],
    ['/v1', 'https://api.anthropic.com/v1/']
  ])
  t.strictSame(routes.map(({ marks }) => marks?.[0]), [undefined, undefined, undefined, 'anthropic-version', 'authorization: Bearer sk-ant-'])
  t.strictSame(loadConfig({ env: { CODEX_SIDECAR_OPENAI_UPSTREAM: 'http://gateway/v1' } }).routes.map(({ marks }) => marks?.[0]), [undefined, undefined, undefined, 'anthropic-version'], 'what a gateway takes is its own affair')
})

t.test('the options are described in JSON Schema', async t => {
  const ajv = new Ajv({ strict: false })
  t.ok(ajv.validateSchema(optionsSchema), ajv.errorsText())
})

t.test('secrets in URLs are refused, and shown nowhere', async t => {
  const dir = t.testdir()
  for (const url of ['http://:SECRET@host/v1/', 'http://SECRET@host/', 'http://u:SECRET/@x@host/', 'u:SECRET@host', 'SECRET@host', 'http://host/?key=SECRET', 'http://host/#SECRET', 'ftp://u:SECRET"x@host/', 'http://host/?']) {
    writeFileSync(`${dir}/a.json`, JSON.stringify({ chatgptUpstream: url, traces: url, routes: [{ prefix: '/a', upstream: url }, { prefix: '/b', upstream: { url }, jwks: { source: url } }] }))
    for (const sources of [{ env: { CODEX_SIDECAR_OPENAI_UPSTREAM: url } }, { flags: { config: `${dir}/a.json` } }]) {
      const found = mistakes(sources)
      t.ok(found.length > 0, url)
      t.notMatch(found.join('\n'), 'SECRET', url)
    }
  }
  t.strictSame(mistakes({ env: { CODEX_SIDECAR_OPENAI_UPSTREAM: 'http://:SECRET@host/v1/' } }), ['CODEX_SIDECAR_OPENAI_UPSTREAM: is "http://***@host/v1/", allowed: an http or https URL without user, query or fragment'])
})

t.test('routes name header fields that can reach an upstream', async t => {
  const dir = t.testdir()
  const from = (route: object) => {
    writeFileSync(`${dir}/a.json`, JSON.stringify({ routes: [{ prefix: '/a', upstream: 'http://a', ...route }] }))
    return { flags: { config: `${dir}/a.json` } }
  }
  t.match(loadConfig(from({ credential: ['API-Key', 'api-key'], marks: ['X-B: Token y', 'a'] })).routes, [{ credential: ['api-key'], marks: ['a', 'x-b: Token y'] }])
  for (const field of ['Host', 'connection', 'Upgrade', 'proxy-authorization', 'a b', '', 'a:', 'content-length']) {
    t.match(mistakes(from({ credential: [field] })), [/routes\.0\.credential\.0: is ".*", allowed: the name of a header field that reaches the upstream$/], field)
    t.match(mistakes(from({ marks: [field] })), [/routes\.0\.marks\.0: is ".*", allowed: the name of a header field that reaches the upstream, and after a colon how its value begins$/], field)
  }
  t.match(mistakes(from({ marks: [] })), [/marks: is \[\], allowed: an array that is not empty/])
})

t.test('flags before environment before file before defaults', async t => {
  const dir = t.testdir({ 'a.json': '{ "port": 1, "logLevel": "warn", /* why */ "lanes": { "verified": 9 }, }' })
  const env = { CODEX_SIDECAR_CONFIG: `${dir}/a.json`, CODEX_SIDECAR_PORT: '2', CODEX_SIDECAR_HOST: '' }
  t.match(loadConfig({ env: { CODEX_SIDECAR_CONFIG: env.CODEX_SIDECAR_CONFIG } }), { port: 1, logLevel: 'warn', lanes: { verified: 9, unverified: 64 } })
  t.match(loadConfig({ env }), { port: 2, host: 'localhost' }, 'an empty variable is not set')
  t.match(loadConfig({ env, flags: { port: '3' } }), { port: 3 })
  t.match(loadConfig({ flags: { config: `${dir}/a.json` } }), { port: 1 })
  t.equal(loadConfig({ env: { CODEX_SIDECAR_ANTHROPIC_UPSTREAM: 'http://a/b' } }).routes[1]?.upstream, 'http://a/b/messages')
})

t.test('an option of a group has a variable too', async t => {
  const dir = t.testdir({ 'a.json': '{ "times": { "drain": 1, "connect": 2 } }', 'b.json': '{ "times": 5 }' })
  const env = { CODEX_SIDECAR_DRAIN: '7' }
  t.match(loadConfig({ env }).times, { drain: 7, connect: 10_000 })
  t.match(loadConfig({ env, flags: { config: `${dir}/a.json` } }).times, { drain: 7, connect: 2 })
  t.strictSame(mistakes({ env: { CODEX_SIDECAR_DRAIN: 'x' } }), ['CODEX_SIDECAR_DRAIN: is "x", allowed: a whole number from 1 to 2147483647 (ms)'])
  t.match(mistakes({ env, flags: { config: `${dir}/b.json` } }), [/b\.json: times: is 5/], 'a group that is none is a mistake still')
})

t.test('proxies', async t => {
  /** What stands before an origin, as the environment has it. */
  const before = (env: Record<string, string>, origin = 'https://api.openai.com', route?: string): string | undefined => {
    const proxy = loadConfig({ env: { CODEX_SIDECAR_OPENAI_UPSTREAM: `${origin}/v1/`, ...env } }).proxies.before(origin, route)
    return proxy === undefined ? undefined : `${proxy.source} ${proxy.scheme} ${proxy.hostname} ${proxy.port} ${JSON.stringify(proxy.reveal())}`
  }
  t.test('are what the variables say', async t => {
    t.equal(before({}), undefined)
    const cases: [value: string, is: string][] = [
      ['127.0.0.1:3128', 'http 127.0.0.1 3128 undefined'],
      ['proxy', 'http proxy 80 undefined'],
      ['http://proxy/', 'http proxy 80 undefined'],
      ['user:p%40ss@proxy:8080', 'http proxy 8080 {"user":"user","password":"p@ss"}'],
      ['https://proxy', 'https proxy 443 undefined'],
      ['HTTPS://[::1]:8443', 'https ::1 8443 undefined'],
      ['socks5://proxy', 'socks5 proxy 1080 undefined'],
      ['socks5h://user:100%@10.0.0.1:9050', 'socks5h 10.0.0.1 9050 {"user":"user","password":"100%"}'],
      ['socks5h://user@proxy', 'socks5h proxy 1080 {"user":"user","password":""}'],
      ['http://:key@proxy', 'http proxy 80 {"user":"","password":"key"}']
    ]
    for (const [value, is] of cases) t.equal(before({ HTTPS_PROXY: value }), `HTTPS_PROXY ${is}`, value)
    const { proxies } = loadConfig({ env: { HTTPS_PROXY: 'http://user:never-shown@[fd00::1]:3128' } })
    const proxy = proxies.before('https://a.example')
    t.equal(proxy?.host, '[fd00::1]:3128')
    t.notMatch(inspect(proxy, { showHidden: true, depth: 9 }) + JSON.stringify(proxy), 'never-shown')
  })
  t.test('come from the variables in curl’s order', async t => {
    const all = { all_proxy: 'a', ALL_PROXY: 'A', https_proxy: 's', HTTPS_PROXY: 'S', http_proxy: 'h', HTTP_PROXY: 'H' }
    for (const [origin, order] of [['https://x.example', ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']], ['http://x.example', ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']]] as const) {
      const env: Record<string, string> = { ...all }
      for (const name of order) {
        t.equal(before(env, origin)?.split(' ')[0], name)
        env[name] = '' // as good as not set
      }
      t.equal(before(env, origin), undefined, 'what is for the other kind of URL is not used')
    }
  })
  t.test('that can not be used are mistakes, where something would go through them', async t => {
    const unusable = (value: string): readonly string[] => mistakes({ env: { HTTPS_PROXY: value } })
    for (const [value, shown] of [
      ['socks4://user:never-shown@proxy', 'socks4://***@proxy'], ['ftp://proxy', 'ftp://proxy'], ['http://', 'http://'], ['socks5h://', 'socks5h://'], ['a b', 'a b'],
      ['user:never-shown@proxy:99999', 'user:***@proxy:99999'], [`socks5://${'u'.repeat(256)}@proxy`, 'socks5://***@proxy']
    ] as const) {
      t.strictSame(unusable(value), [`HTTPS_PROXY: is ${JSON.stringify(shown)}, allowed: http, https, socks5 or socks5h with a host and perhaps user, password and port`])
    }
    t.strictSame(mistakes({ env: { http_proxy: 'ftp://proxy' } }), [], 'all upstreams are https')
    t.strictSame(mistakes({ env: { ALL_PROXY: 'ftp://proxy', NO_PROXY: '*' } }), [])
  })
  t.test('stand not before what NO_PROXY names', async t => {
    const exempt: [list: string, origins: string[], others: string[]][] = [
      ['*', ['https://a.example', 'http://10.0.0.1'], []],
      ['a.example', ['https://a.example', 'https://b.a.example', 'https://A.example.:8443'], ['https://ba.example', 'https://example']],
      ['.a.example , *.c.example.', ['https://a.example', 'https://b.a.example', 'https://c.example', 'https://d.c.example'], ['https://e.example']],
      ['a.example:8443 b.example:443', ['https://a.example:8443', 'https://b.example'], ['https://a.example', 'http://b.example', 'https://b.example:8443']],
      ['10.0.0.0/8', ['https://10.1.2.3', 'http://10.0.0.1:8080'], ['https://11.0.0.1', 'https://10.example', 'https://[::ffff:0:1]']],
      ['192.168.0.1,10.0.0.0/8:8080', ['https://192.168.0.1', 'http://10.1.1.1:8080'], ['https://192.168.0.2', 'http://10.1.1.1']],
      ['fd00::/8,[fe80::1]:8443,[2001:db8::]/32', ['https://[fd12::1]', 'https://[fe80::1]:8443', 'https://[2001:db8:1::1]'], ['https://[fe80::1]', 'https://[2001:db9::1]', 'https://10.0.0.1']],
      ['10.0.0.0/33, :, ,.', [], ['https://10.0.0.1', 'https://a.example']]
    ]
    for (const [list, origins, others] of exempt) {
      for (const origin of origins) t.equal(before({ ALL_PROXY: 'proxy', NO_PROXY: list }, origin), undefined, `${list} names ${origin}`)
      for (const origin of others) t.ok(before({ ALL_PROXY: 'proxy', no_proxy: list, NO_PROXY: '*' }, origin), `${list} does not name ${origin}`)
    }
    for (const origin of ['http://localhost:1', 'http://a.localhost', 'http://127.9.9.9', 'http://[::1]:8080']) t.equal(before({ ALL_PROXY: 'proxy' }, origin), undefined, 'no proxy reaches our loopback')
  })
  t.test('of a route come before them', async t => {
    const dir = t.testdir({})
    const from = (...proxies: string[]) => {
      writeFileSync(`${dir}/config.json`, JSON.stringify({ routes: proxies.map((proxy, i) => ({ prefix: `/r${i}`, upstream: 'https://a.example', proxy })) }))
      return { flags: { config: `${dir}/config.json` }, env: { HTTPS_PROXY: 'environment', NO_PROXY: 'a.example' } }
    }
    const { routes, proxies } = loadConfig(from('none', 'direct', 'user:never-shown@own:1'))
    t.strictSame(['/r0', '/r1', '/r2', '/r3'].map(route => proxies.before('https://a.example', route)?.host), [undefined, undefined, 'own:1', undefined], 'NO_PROXY is for the environment’s')
    t.notMatch(JSON.stringify(routes), 'never-shown')
    t.strictSame(mistakes(from('socks4://u:never-shown@x')).map(line => line.replace(dir, '')), ['/config.json: routes.0.proxy: is "socks4://***@x", allowed: none, or http, https, socks5 or socks5h with a host and perhaps user, password and port'])
    writeFileSync(`${dir}/keys.json`, JSON.stringify({ routes: [{ prefix: '/a', upstream: 'http://a', proxy: 'none', jwks: { source: 'https://issuer.test/jwks' } }] }))
    t.match(mistakes({ flags: { config: `${dir}/keys.json` }, env: { HTTPS_PROXY: 'ftp://x' } }), [/^HTTPS_PROXY: is/], 'key sets are fetched through them too')
  })
})

t.test('the system’s CAs are trusted where they are asked for and Node has them', async t => {
  const { cert } = await selfSigned('a.example')
  const dir = t.testdir({ 'ca.pem': cert, 'extra.pem': cert })
  const node: NodeTrust = { rootCertificates: ['root'], getCACertificates: kind => [kind] }
  const trust = (options: { caFile?: string, useSystemCa: boolean }, env: Record<string, string> = {}, by = node): unknown => {
    const wrong: string[] = []
    const ca = readTrust(options, env, wrong, by)
    return wrong.length > 0 ? wrong : ca
  }
  t.equal(trust({ useSystemCa: false }), undefined)
  t.strictSame(trust({ useSystemCa: true }), ['default', 'system'])
  t.strictSame(trust({ useSystemCa: true, caFile: `${dir}/ca.pem` }, { NODE_EXTRA_CA_CERTS: `${dir}/extra.pem` }), ['default', 'system', cert, cert], 'a file adds and takes nothing away')
  const old: NodeTrust = { rootCertificates: ['root'] }
  t.strictSame(trust({ useSystemCa: false, caFile: `${dir}/ca.pem` }, { NODE_EXTRA_CA_CERTS: '' }, old), ['root', cert])
  t.match(trust({ useSystemCa: true }, {}, old), [`useSystemCa: needs Node 22.15, 23.10 or later, and this is ${process.version}; caFile can name a file with the CAs`])
  t.match(mistakes({ env: { CODEX_SIDECAR_USE_SYSTEM_CA: 'perhaps' } }), ['CODEX_SIDECAR_USE_SYSTEM_CA: is "perhaps", allowed: true or false'])
  t.equal(loadConfig({ env: { CODEX_SIDECAR_USE_SYSTEM_CA: 'false' } }).useSystemCa, false)
})

t.test('the certificates of routes', async t => {
  const [one, other] = await Promise.all([selfSigned('a.example'), selfSigned('b.example')])
  const dir = t.testdir({ 'a.pem': one.cert, 'a.key': one.key, 'b.key': other.key, 'none.pem': 'x' })
  const from = (own: object) => {
    writeFileSync(`${dir}/config.json`, JSON.stringify({ routes: [{ prefix: '/a', upstream: 'https://a', ...own }] }))
    return { flags: { config: `${dir}/config.json` } }
  }
  const { identities } = loadConfig(from({ cert: `${dir}/a.pem`, key: `${dir}/a.key` }))
  t.strictSame(identities['/a']?.reveal(), one)
  t.notMatch(inspect(identities, { showHidden: true, depth: 9 }) + JSON.stringify(identities), one.key.slice(40, 80))
  t.strictSame(loadConfig(from({})).identities, {})
  t.strictSame(mistakes(from({ cert: `${dir}/a.pem` })), ['routes.0: has cert without key, allowed: both or none'])
  t.strictSame(mistakes(from({ key: `${dir}/a.key` })), ['routes.0: has key without cert, allowed: both or none'])
  t.strictSame(mistakes(from({ cert: '/nowhere/a.pem', key: `${dir}/a.key` })), ['/nowhere/a.pem: cannot be read (ENOENT)'])
  for (const [cert, key] of [['a.pem', 'b.key'], ['none.pem', 'a.key']]) {
    t.strictSame(mistakes(from({ cert: `${dir}/${cert}`, key: `${dir}/${key}` })), [`routes.0.key: ${dir}/${key} is not the key of ${dir}/${cert}, or one of them is no PEM file`])
  }
})

t.test('key sets', async t => {
  const dir = t.testdir({ 'keys.json': '{ "keys": [] }', 'none.json': '{}', 'broken.json': '{' })
  const from = (source: string) => {
    writeFileSync(`${dir}/config.json`, JSON.stringify({ routes: [{ prefix: '/a', upstream: 'http://a', jwks: { source } }] }))
    return { flags: { config: `${dir}/config.json` } }
  }
  t.match(loadConfig(from(`${dir}/keys.json`)), { keySets: { [`${dir}/keys.json`]: { keys: [] } }, routes: [{ jwks: { algorithms: ['RS256'] } }] })
  t.strictSame(loadConfig(from('https://issuer.test/jwks')).keySets, {})
  t.strictSame(mistakes(from('/nowhere/keys.json')), ['/nowhere/keys.json: cannot be read (ENOENT)'])
  for (const name of ['none', 'broken']) t.strictSame(mistakes(from(`${dir}/${name}.json`)), [`${dir}/${name}.json: holds no JSON Web Key Set`])
  t.match(mistakes(from('https://')), [/jwks\.source: is "https:\/\/", allowed: an http or https URL without user, or a file$/])
})

t.test('traces need packages that users install themselves', async t => {
  const env = { CODEX_SIDECAR_TRACES: 'http://127.0.0.1:4318/v1/traces' }
  t.match(loadConfig({ env }), { traces: env.CODEX_SIDECAR_TRACES }, 'they are here')
  const find = (name: string): string => {
    if (name === '@opentelemetry/api') return name
    throw new Error('not there')
  }
  t.strictSame(mistakes({ env, find }), ['traces: needs packages that are not installed beside codex-sidecar: @opentelemetry/core @opentelemetry/resources @opentelemetry/sdk-trace @opentelemetry/exporter-trace-otlp-http'])
  t.strictSame(mistakes({ find }), [], 'nobody asks unless it is set')
})

t.test('all mistakes at once, each with its option, what was given and what is allowed', async t => {
  const dir = t.testdir({
    'bad.json': JSON.stringify({ port: 70000, colour: 'red', lanes: { verified: 0 }, routes: [{ prefix: 'x', upstream: 'ftp://a' }, { upstream: 'http://a' }], times: { active: 'long' }, allowedHosts: [''] }),
    'broken.json': '{\n  "port": 1,\n  "host" }\n',
    'list.json': '[]',
    'twice.json': '{ "routes": [{ "prefix": "/a", "upstream": "http://a" }, { "prefix": "/a/", "upstream": "http://a" }] }',
    'own.jsonc': '{ "routes": [{ "prefix": "/metrics", "upstream": "http://a" }, { "prefix": "/metricsx", "upstream": "http://a" }] }',
    'ca.json': '{ "caFile": "/nowhere/ca.pem" }',
    'own.json': JSON.stringify({ caFile: `${t.testdirName}/good.json` }),
    'good.json': '{}',
    'empty.json': '{ "routes": [], "chatgptUpstream": "nonsense", "host": 1 }'
  })
  t.strictSame(mistakes({ flags: { port: 'x', colour: '1', host: undefined }, env: { CODEX_SIDECAR_PROBE: 'maybe', CODEX_SIDECAR_OPENAI_UPSTREAM: 'http://user:pass@host/' } }), [
    '--colour: no such flag',
    '--host: needs a value',
    '--port: is "x", allowed: a whole number from 0 to 65535',
    'CODEX_SIDECAR_OPENAI_UPSTREAM: is "http://***@host/", allowed: an http or https URL without user, query or fragment',
    'CODEX_SIDECAR_PROBE: is "maybe", allowed: one of first-use, background, off'
  ])
  const found = mistakes({ flags: { config: `${dir}/bad.json` } })
  for (const wanted of [
    'colour: no such option', 'port: is 70000, allowed: a whole number from 0 to 65535', 'lanes.verified: is 0, allowed: a whole number of at least 1',
    'routes.0.prefix: is "x", allowed: a path that starts with /', 'routes.0.upstream: is "ftp://a"', 'routes.1: prefix is required',
    'times.active: is "long", allowed: a whole number from 1 to 2147483647 (ms)', 'allowedHosts.0: is "", allowed: a text that is not empty'
  ]) t.ok(found.some(line => line === `${dir}/bad.json: ${wanted}` || line.startsWith(`${dir}/bad.json: ${wanted}`)), `${wanted}\n${found.join('\n')}`)
  t.equal(found.length, 8)
  t.strictSame(mistakes({ flags: { config: `${dir}/broken.json` } }), [`${dir}/broken.json:3: ColonExpected`])
  t.strictSame(mistakes({ flags: { config: `${dir}/list.json` } }), [`${dir}/list.json: must hold one JSON object`])
  t.strictSame(mistakes({ flags: { config: `${dir}/none.json` } }), [`${dir}/none.json: cannot be read (ENOENT)`])
  t.strictSame(mistakes({ flags: { config: `${dir}/twice.json` } }), ['routes.1.prefix: is "/a" a second time, allowed: each prefix once with the same marks'])
  t.strictSame(mistakes({ flags: { config: `${dir}/own.jsonc` } }), ['routes.0.prefix: is "/metrics", allowed: any path but codex-sidecar’s own'])
  t.strictSame(mistakes({ flags: { config: `${dir}/ca.json` } }), ['/nowhere/ca.pem: cannot be read (ENOENT)'])
  t.strictSame(mistakes({ flags: { config: `${dir}/own.json` }, env: { NODE_EXTRA_CA_CERTS: `${dir}/list.json` } }), [`${dir}/good.json: holds no PEM certificate`, `${dir}/list.json: holds no PEM certificate`])
  t.strictSame(mistakes({ flags: { config: `${dir}/empty.json` } }).map(line => line.slice(dir.length + 1)), [
    'empty.json: host: is 1, allowed: a text that is not empty',
    'empty.json: chatgptUpstream: is "nonsense", allowed: an http or https URL without user, query or fragment',
    'empty.json: routes: is [], allowed: an array that is not empty'
  ])
  t.match(new ConfigError(['a']).message, /^One mistake/)
})

/** Runs a command line in this process. */
async function cli (args: string[], { env = {}, input = '', isTTY = false }: { env?: Record<string, string>, input?: string, isTTY?: boolean } = {}) {
  const stdout = new PassThrough({ encoding: 'utf8' })
  const stderr = new PassThrough({ encoding: 'utf8' })
  const exitCode = await run(args, { env, stdin: Object.assign(Readable.from(input === '' ? [] : [Buffer.from(input)]), { isTTY }), stdout, stderr })
  const text = (stream: PassThrough): string => (stream.read() as string | null) ?? ''
  return { exitCode, out: text(stdout), err: text(stderr) }
}

t.test('the command line', async t => {
  t.match(await cli(['--help']), { exitCode: 0, out: /codex-sidecar check/, err: '' })
  t.match(await cli(['-h']), { exitCode: 0 })
  t.match(await cli(['help']), { exitCode: 0 })
  t.match(await cli(['--version']), { exitCode: 0, out: /^\d+\.\d+\.\d+\n$/ })
  t.match(await cli(['version']), { exitCode: 0 })
  t.match(await cli(['fly']), { exitCode: 2, err: /unknown command "fly"/ })
  t.match(await cli(['toString']), { exitCode: 2 })
  t.match(await cli(['run', 'fast']), { exitCode: 2, err: /unknown word "fast"/ })
  t.match(await cli(['--port', 'x', '--pace=1', '--log-level']), { exitCode: 2, err: /^codex-sidecar: 3 mistakes in the configuration:\n {2}--pace: no such flag\n/ })
  await t.rejects(run(['check'], { env: {}, stdin: { [Symbol.asyncIterator]: () => { throw new TypeError('broken') } }, stdout: new PassThrough(), stderr: new PassThrough() }), TypeError, 'what is no mistake of the user is not called one')
})

t.test('check judges a token on standard input and never prints it', async t => {
  const judge = async (t: Test, input: string, args: string[], expected: object) => {
    const result = await cli(['check', ...args], { input })
    t.match(result, expected)
    t.notMatch(result.out + result.err, input.trim().slice(-12), 'the token is not printed')
  }
  await judge(t, `Bearer ${expiredJwt()}\n`, [], { exitCode: 1, out: /^inactive on \/backend-api\/ \(token_expired, by its claims\): Invalid bearer token - it expired at/ })
  await judge(t, 'sk-ant-api03-abcdefgh', [], { exitCode: 2, out: /^could not tell for \/v1\/messages\// })
  await judge(t, 'sk-proj-abcdefghijkl', [], { exitCode: 2, out: /^could not tell for \/v1\// })
  await judge(t, 'sk-proj-abcdefghijkl', ['--route', '/backend-api/'], { exitCode: 1, out: /wrong_route/ })
  await judge(t, 'some-opaque-token-xyz', ['--route=/nowhere'], { exitCode: 2, err: /no route "\/nowhere"; there are \/backend-api\// })
  const dir = t.testdir({ 'a.json': '{ "routes": [{ "prefix": "/own", "upstream": "http://a", "dialect": "anthropic" }] }' })
  await judge(t, 'some-opaque-token-xyz', ['--config', `${dir}/a.json`], { exitCode: 2, out: /^could not tell for \/own\// })
  const none = t.testdir({ 'b.json': '{ "routes": [{ "prefix": "/own", "upstream": "http://a", "credential": [] }, { "prefix": "/key", "upstream": "http://a", "credential": ["api-key"] }] }' })
  await judge(t, 'some-opaque-token-xyz', ['--config', `${none}/b.json`], { exitCode: 2, out: /^could not tell for \/own\// })
  await judge(t, 'some-opaque-token-xyz', ['--config', `${none}/b.json`, '--route', '/key'], { exitCode: 2, out: /^could not tell for \/key\// })
  t.match(await cli(['check']), { exitCode: 1, out: /malformed_token/, err: /nothing came on standard input/ })
  t.match(await cli(['check'], { input: 'abc', isTTY: true }), { exitCode: 2, err: /^codex-sidecar: the token, then Enter/ })
  t.match(await cli(['check'], { input: 'undefined' }), { exitCode: 1, out: /variable was not set/ })
  t.match(await cli(['check'], { input: 'x'.repeat(2_000_000) }), { exitCode: 2 })
})

t.test('check --probe asks the upstream as a client of that route would', async t => {
  let answer: [status: number, body: unknown] = [200, {}]
  const upstream = await startUpstream(t, (_request, response) => { json(response, ...answer) })
  const env = { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream.url}/backend-api/`, CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1/`, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${upstream.url}/v1/` }
  const judge = (input: string, ...args: string[]) => cli(['check', ...args, '--probe'], { env, input })
  t.match(await judge('sk-proj-abc', '--route', '/v1/'), { exitCode: 0, out: 'active on /v1/ (by its probe)\n', err: '' })
  t.match(await judge(jwt(), '--route=/backend-api'), { exitCode: 0 })
  t.match(await judge('sk-ant-api03-abc'), { exitCode: 0 })
  t.match(await judge('sk-ant-oat01-abc'), { exitCode: 0 })
  t.match(upstream.seen, [
    { method: 'GET', url: '/v1/models', headers: { authorization: 'Bearer sk-proj-abc' } },
    { url: '/backend-api/codex/models?client_version=0.169.0', headers: { 'chatgpt-account-id': 'acct-1' } },
    { url: '/v1/models', headers: { 'x-api-key': 'sk-ant-api03-abc', 'anthropic-version': /./ } },
    { headers: { authorization: 'Bearer sk-ant-oat01-abc' } }
  ])
  answer = [401, deadKey]
  t.match(await judge('sk-proj-abc'), { exitCode: 1, out: /^inactive on \/v1\/ \(token_rejected, by its probe\): Invalid API key - the upstream rejected it/ })
  answer = [403, {}]
  t.match(await judge('sk-proj-abc'), { exitCode: 2, out: 'could not tell for /v1/: the upstream answered 403, which says nothing for certain\n' })
  t.match(await cli(['check', '--probe'], { env: { ...env, CODEX_SIDECAR_OPENAI_UPSTREAM: 'http://127.0.0.1:9/v1' }, input: 'sk-proj-abc' }), { exitCode: 2, out: /gave no answer/ })
  const before = upstream.seen.length
  t.match(await judge(expiredJwt()), { exitCode: 1, out: /token_expired, by its claims/ })
  t.equal(upstream.seen.length, before, 'what is known here is not asked')
  const dir = t.testdir({ 'a.json': JSON.stringify({ routes: [{ prefix: '/own', upstream: upstream.url }] }) })
  t.match(await cli(['check', '--probe', '--config', `${dir}/a.json`], { input: 'abc' }), { exitCode: 2, out: /no probePath/ })
  t.equal(upstream.seen.length, before)
})
