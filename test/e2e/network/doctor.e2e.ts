import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { diagnose, inside, link, shell, startUpstreamThere } from './inside.ts'

// What the built program's doctor says of proxies, addresses and a network that is down, to people and to programs.

const NOBODY = '127.0.0.1:3128'

await inside(import.meta.filename, ['ip'], async (t, main) => {
  const dir = t.testdir({})
  shell(`${link}; ip addr add 10.99.0.1/24 dev near; ip -n there addr add 10.99.0.2/24 dev far`)
  await startUpstreamThere(t)
  const env = (more: object = {}, options: object = {}): Record<string, string> => {
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ openaiUpstream: 'http://10.99.0.2/v1', times: { connect: 1_000 }, ...options }))
    return { HOME: dir, CODEX_SIDECAR_CONFIG: join(dir, 'config.json'), ...more }
  }
  const https = { openaiUpstream: 'https://10.99.0.2/v1' }
  const silent = (): void => { shell('ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:01 dev near nud permanent') }
  const unreached = { severity: 'problem', result: `the proxy ${NOBODY} can not be reached, or hangs up (PROXY_UNREACHABLE)`, mend: /^curl -v telnet:\/\/127\.0\.0\.1:3128 / }
  const rows: Readonly<Record<string, { env: Record<string, string>, before?: () => void, way?: string, upstream: object }>> = {
    'all is well': { env: env(), upstream: { severity: 'ok', result: /^answers 200/ } },
    'HTTPS_PROXY=host:port': { env: env({ HTTPS_PROXY: NOBODY }, https), way: `http://${NOBODY}`, upstream: unreached },
    'HTTPS_PROXY=socks5h://': { env: env({ HTTPS_PROXY: `socks5h://${NOBODY}` }, https), way: `socks5h://${NOBODY}`, upstream: unreached },
    'ALL_PROXY=socks5://': { env: env({ ALL_PROXY: `socks5://${NOBODY}` }), way: `socks5://${NOBODY}`, upstream: unreached },
    'HTTP_PROXY before an http upstream': { env: env({ HTTP_PROXY: `http://${NOBODY}` }), way: `http://${NOBODY}`, upstream: unreached },
    'NO_PROXY=10.0.0.0/8': { env: env({ ALL_PROXY: `http://${NOBODY}`, NO_PROXY: '10.0.0.0/8' }), upstream: { severity: 'ok' } },
    'packets that vanish': { env: env(), before: silent, upstream: { severity: 'problem', result: 'no connection within 1000 ms: a firewall drops the packets (UND_ERR_CONNECT_TIMEOUT)', mend: /^open TCP to 10\.99\.0\.2 in it/ } },
    'an interface that is down': { env: env(), before: () => { shell('ip link set near down') }, upstream: { severity: 'problem', result: 'this machine has no route to it (ENETUNREACH)', mend: /^connect it to a network/ } }
  }
  for (const [says, { env: given, before, way, upstream }] of Object.entries(rows)) {
    await t.test(says, async t => {
      before?.()
      env({}, given['HTTPS_PROXY'] === undefined ? {} : https)
      const { of, text } = await diagnose(main, given)
      t.match(of('upstream', '10.99.0.2'), upstream)
      t.match(text, of('upstream', '10.99.0.2')?.mend ?? 'upstream 10.99.0.2: answers', 'people are told the same')
      const gone = of('proxy.upstream', '_PROXY')
      if (way === undefined) t.notMatch(gone?.result ?? '', '10.99.0.2')
      else t.match(gone, { severity: 'note', result: new RegExp(`10\\.99\\.0\\.2.* go through ${way}$`) })
    })
  }
  await t.test('a proxy that can not be used', t => {
    for (const HTTPS_PROXY of ['ftp://proxy.test', 'socks4://user:secret@proxy.test:1080', 'http://:99999']) {
      for (const args of [['doctor'], ['doctor', '--json'], []]) {
        const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env({ HTTPS_PROXY }, https) } })
        t.equal(status, 2, `${HTTPS_PROXY}, ${args.join(' ')}`)
        t.match(stderr, /HTTPS_PROXY: is ".*", allowed: http, https, socks5 or socks5h with a host/)
        t.notMatch(stderr, /secret|\n {4}at /)
      }
    }
    t.end()
  })
})
