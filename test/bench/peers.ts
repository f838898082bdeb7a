import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { cores, start, type Measured } from './process.ts'

/** Another build of ours, by the path of its `dist/main.js`: with it the bench measures nothing but that build and this one. */
const before = process.env['BENCH_BEFORE']

/** Who takes part. What is not installed is named and skipped. */
export interface Peers {
  /** Who of these is there. */
  readonly present: (names: readonly string[]) => string[]
  readonly start: (name: string) => Promise<Measured>
  readonly missing: readonly string[]
}

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const cache = `${root}.cache/bench`
const codex = process.env['CODEX'] ?? `${root}.cache/codex-0.169.0/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex`

const runs = (command: string): boolean => {
  try { execFileSync(command, ['-v'], { stdio: 'ignore' }) } catch { return false }
  return true
}

/** nginx can not choose a port by itself. */
async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Debian's nginx with kept upstream connections; and with a validation of its own, asked once and then cached. */
async function nginx (name: string, upstream: string, validates: boolean): Promise<Measured> {
  const port = await freePort()
  const folder = `${cache}/nginx`
  mkdirSync(`${folder}/logs`, { recursive: true })
  const proxy = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off;'
  writeFileSync(`${folder}/${port}.conf`, `
daemon off; master_process off; pid ${folder}/${port}.pid; error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log ${folder}/access.log; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  proxy_cache_path ${folder}/verdicts keys_zone=verdicts:1m;
  upstream up { server ${upstream}; keepalive 512; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / { ${validates ? 'auth_request /verdict;' : ''} proxy_pass http://up; ${proxy} }
    location = /verdict {
      internal; proxy_pass http://up/v1/models; ${proxy.replace('proxy_buffering off;', '')}
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_method GET;
      proxy_cache verdicts; proxy_cache_key $http_authorization; proxy_cache_valid 200 10m; proxy_cache_valid 401 15s;
    }
  }
}`)
  // The socket of a program that says nothing is asked until it is there.
  const say = `until (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null; do sleep 0.02; done; echo PORT ${port}`
  return await start(name, { core: cores.proxy, command: ['bash', '-c', `(${say}) & exec nginx -p ${folder} -c ${folder}/${port}.conf`] })
}

/** All peers before one upstream. */
export function peersOf (upstream: Measured): Peers {
  const origin = `http://127.0.0.1:${upstream.port}`
  mkdirSync(cache, { recursive: true })
  const sidecar = (name: string, config: object, main = `${root}dist/main.js`): Promise<Measured> => {
    const file = `${cache}/${name.replace(/\W+/g, '-')}.json`
    writeFileSync(file, JSON.stringify(config))
    return start(name, {
      core: cores.proxy, command: [process.execPath, main],
      env: { CODEX_SIDECAR_PORT: '0', CODEX_SIDECAR_OPENAI_UPSTREAM: `${origin}/v1`, CODEX_SIDECAR_CONFIG: file }
    })
  }
  const node = (name: string, file: string, env: Record<string, string> = {}): Promise<Measured> =>
    start(name, { core: cores.proxy, command: [process.execPath, script(`peers/${file}.js`)], env: { UPSTREAM: origin, ...env } })
  const wide = { lanes: { verified: 4096, unverified: 4096 }, limits: { tunnels: 4096 } }
  const routes = [['/v1', '/v1'], ['/hang', '/hang']].map(([prefix, path]) => ({ prefix, upstream: `${origin}${path}` }))
  const makers: Readonly<Record<string, () => Promise<Measured>>> = {
    'codex-sidecar': () => sidecar('codex-sidecar', wide),
    'codex-sidecar before': () => sidecar('codex-sidecar before', wide, before),
    'codex-sidecar beside trouble': () => sidecar('codex-sidecar beside trouble', { routes }),
    'codex-sidecar in quiet': () => sidecar('codex-sidecar in quiet', { routes }),
    'stock http-proxy': () => node('stock http-proxy', 'stock'),
    'floor': () => node('floor', 'floor'),
    'bare sockets': () => node('bare sockets', 'sockets'),
    'http-proxy-3': () => node('http-proxy-3', 'http-proxy-3', { HTTP_PROXY_3: `${root}.cache/peers/node_modules/http-proxy-3/dist/lib/index.js` }),
    'fastify hello': () => node('fastify hello', 'hello'),
    'nginx': () => nginx('nginx', origin.slice(7), false),
    'nginx auth_request': () => nginx('nginx auth_request', origin.slice(7), true),
    'codex responses-api-proxy': () => start('codex responses-api-proxy', {
      core: cores.proxy, command: [codex, 'responses-api-proxy', '--port', '0', '--upstream-url', `${origin}/v1/responses`], input: 'sk-bench-0123456789'
    }),
    'direct': async () => ({ ...upstream, stop: async () => {} })
  }
  const missing = [
    ...(existsSync(`${root}.cache/peers/node_modules/http-proxy-3`) ? [] : ['http-proxy-3']),
    ...(runs('nginx') ? [] : ['nginx', 'nginx auth_request']),
    ...(existsSync(codex) ? [] : ['codex responses-api-proxy'])
  ]
  return {
    present: names => before === undefined
      ? names.filter(name => !missing.includes(name))
      : names.includes('codex-sidecar') ? ['codex-sidecar', 'codex-sidecar before'] : [],
    start: name => (makers[name] as () => Promise<Measured>)(),
    missing
  }
}

/** The upstream of all of them. */
export const startUpstream = (): Promise<Measured> => start('upstream', { core: cores.rest, command: [process.execPath, script('upstream.js')] })
