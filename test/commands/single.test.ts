import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { request } from 'undici'
import { ownCommand, ownFile } from '../../src/config/package-files.ts'
import { freePort } from '../fixtures/free-port.ts'
import { appears, startProcess } from '../fixtures/program.ts'
import { bearer } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

t.test('one file that holds Node too finds its own files inside, and starts itself by its own name', async t => {
  const single = { isSea: () => true, getAsset: (key: string, encoding: string) => `${encoding} ${key}` }
  t.equal(ownFile('package.json', single), 'utf8 package.json')
  const started = { execPath: '/x', execArgv: ['--flag'], argv: ['/x', '/main.js', 'demo'] }
  t.strictSame(ownCommand(started, single), ['/x', '--flag'])
  t.strictSame(ownCommand(started), ['/x', '--flag', '/main.js'])
})

const root = join(import.meta.dirname, '..', '..')
const executable = join(root, '.cache', 'single', process.platform === 'win32' ? 'codex-sidecar.exe' : 'codex-sidecar')
const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).map(({ name, parentPath }) => join(parentPath, name))
const changed = Math.max(...[...sources, join(root, '.single.js')].map(file => statSync(file).mtimeMs))
const missing = !existsSync(executable) ? 'not built (npm run single)' : statSync(executable).mtimeMs < changed && 'older than the sources (npm run single)'

t.test('the single file, with no Node on the PATH', { skip: missing }, async t => {
  const home = t.testdir({})
  /** Of the variables of the test none reaches it. */
  const env = { ...Object.fromEntries(Object.keys(process.env).map(name => [name, undefined])), HOME: home, XDG_STATE_HOME: home }
  const single = (args: readonly string[], more: Readonly<Record<string, string>> = {}, input = false) => startProcess(t, [executable, ...args], { env: { ...env, ...more }, input })
  /** Its exit code and all that it says. */
  const says = async (args: readonly string[], { typed, ...more }: Readonly<Record<string, string>> = {}) => {
    const program = single(args, more, typed !== undefined)
    program.child.stdin?.end(typed)
    const [code] = await program.exit
    return { code, out: program.out, err: program.err }
  }

  t.test('says its version, and judges a token', async t => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    t.strictSame(await says(['--version']), { code: 0, out: `${version}\n`, err: '' })
    t.match(await says(['check'], { typed: 'undefined' }), { code: 1, out: /malformed_token/, err: '' })
    t.match(await says(['check'], { typed: 'sk-unknown' }), { code: 2, out: /could not tell/, err: '' })
  })

  t.test('shows the demo', async t => {
    t.match(await says(['demo']), { code: 0, out: /its client reports +success +failed: upstream_reset/, err: '' })
  })

  t.test('carries a turn, refuses a dead token, serves its page, and ends with exit 0', async t => {
    const upstream = await startUpstream(t, ({ headers }, response) => {
      if (headers.authorization === 'Bearer good') json(response, 200, { said: 'hello' })
      else json(response, 401, deadKey)
    })
    const info = join(home, 'info')
    const { child, exit } = single(['--port=0', '--server-info', info], { CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream.url}/v1`, CODEX_SIDECAR_PROBE: 'off' })
    await appears(info)
    const { pid, url } = JSON.parse(readFileSync(info, 'utf8')) as { pid: number, url: string }
    t.equal(pid, child.pid)
    const ask = async (token: string) => {
      const { statusCode, body } = await request(`${url}/v1/models`, { headers: bearer(token) })
      return [statusCode, await body.json()]
    }
    t.strictSame(await ask('good'), [200, { said: 'hello' }])
    t.match(await ask('dead'), [401, deadKey])
    t.match(await ask('dead'), [401, { error: { code: 'token_rejected' } }])
    t.match(await ask('undefined'), [401, { error: { code: 'malformed_token' } }])
    for (const name of ['', '/page.css', '/page.js', '/dom.js', '/view.js', '/icon.svg']) {
      const { statusCode, body } = await request(`${url}/status${name}`, { headers: { accept: 'text/html' } })
      t.equal(statusCode, 200, name)
      t.equal(await body.text(), readFileSync(join(root, 'src', 'status', 'page', name === '' ? 'index.html' : name), 'utf8'))
    }
    child.kill('SIGTERM')
    t.strictSame(await exit, [0, null])
  })

  t.test('runs a client behind it, and starts itself in the background', { skip: process.platform === 'win32' && 'needs a shell' }, async t => {
    t.match(await says(['run', '--', '/bin/sh', '-c', 'echo "$OPENAI_BASE_URL"; exit 7']), { code: 7, out: /^http:\/\/127\.0\.0\.1:\d+\/v1\n$/ })
    const [port, info] = [await freePort(), join(home, 'background')]
    t.match(await says(['ensure', `--port=${port}`, '--server-info', info, '--', '/bin/sh', '-c', 'exit 5'], { PATH: '/nowhere' }), { code: 5, err: '' })
    const { pid } = JSON.parse(readFileSync(info, 'utf8')) as { pid: number }
    t.teardown(() => { try { process.kill(pid, 'SIGKILL') } catch { /* it has ended */ } })
    t.equal((await request(`http://127.0.0.1:${port}/livez`)).statusCode, 200)
  })

  t.test('speaks to people in a terminal', { skip: !existsSync('/usr/bin/script') && 'needs script(1)' }, async t => {
    const info = join(home, 'terminal')
    const terminal = startProcess(t, ['/usr/bin/script', '-qfec', `exec '${executable}' --port=0 --server-info '${info}'`, '/dev/null'], { input: true, detached: true, env: { SHELL: '/bin/sh', PATH: '/nowhere' } })
    await appears(info)
    await terminal.printed(/\[[\d:.]+\]\S* \S*listening on/)
    const { pid } = JSON.parse(readFileSync(info, 'utf8')) as { pid: number }
    process.kill(pid, 'SIGTERM')
    t.strictSame(await terminal.exit, [0, null])
  })

  t.test('finds the packages of traces in the folders above it, as Node does', async t => {
    const info = join(home, 'traces')
    const { child, exit } = single(['--port=0', '--server-info', info], { CODEX_SIDECAR_TRACES: 'http://127.0.0.1:9/v1/traces' })
    await appears(info)
    child.kill('SIGTERM')
    t.strictSame(await exit, [0, null])
  })
})
