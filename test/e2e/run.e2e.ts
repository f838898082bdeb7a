import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startProcess } from '../fixtures/program.ts'
import { startRawUpstream } from '../fixtures/upstream.ts'
import { cachedPackage } from './cached-package.ts'
import { CODEX, config } from './codex-binary.ts'
import { endProcessesOf, processesOf } from './processes.ts'
import { DEAD, GOOD, startProvider, TEXT, type ProviderOptions } from './provider.ts'

// `codex-sidecar run -- CLIENT` with the real programs, in a home of their own, with nothing but loopback to reach. It plays
// the built program (npm run build).

t.setTimeout(900_000) // the first run downloads them, and a machine may be busy

const program = join(import.meta.dirname, '..', '..', 'dist', 'main.js')

/** A client in a home of its own. */
interface Client { readonly command: readonly [string, ...string[]], readonly env?: Readonly<Record<string, string>> }

const script = (module: string, call: string) => (home: string, key: string): Client => {
  writeFileSync(join(home, 'script.mjs'), `import SDK from ${JSON.stringify(import.meta.resolve(module))}\nconst client = new SDK({ maxRetries: 0 })\ntry { console.log(${call}) } catch ({ message }) { console.error(message); process.exit(3) }\n`)
  return { command: [process.execPath, join(home, 'script.mjs')], env: { OPENAI_API_KEY: key, ANTHROPIC_API_KEY: key } }
}

const codex = (path: (modules: string) => string) => async (home: string, key: string): Promise<Client> => {
  const [folder, work] = [join(home, '.codex'), join(home, 'work')]
  for (const made of [folder, work]) mkdirSync(made)
  writeFileSync(join(folder, 'config.toml'), config(['cli_auth_credentials_store = "file"', '']))
  writeFileSync(join(folder, 'auth.json'), JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: key }))
  return { command: [path(await cachedPackage('@openai/codex', CODEX)), 'exec', '--skip-git-repo-check', '--color', 'never', '-C', work, 'Say hello'] }
}

/** Codex's own program, behind npm's launcher: that one never ends by a signal, since it catches the one that it sends itself. */
function behindLauncher (modules: string): string {
  const vendor = join(modules, '@openai', `codex-${process.platform}-${process.arch}`, 'vendor')
  return join(vendor, readdirSync(vendor)[0] as string, 'bin', 'codex')
}

const clients: Readonly<Record<string, (home: string, key: string) => Client | Promise<Client>>> = {
  'codex exec': codex(modules => join(modules, '.bin', 'codex')),
  'codex exec, without its launcher': codex(behindLauncher),
  'claude -p': async (_home, key) => ({
    command: [join(await cachedPackage('@anthropic-ai/claude-code', '2.1.332'), '.bin', 'claude'), '-p', 'Say hello'],
    env: { ANTHROPIC_API_KEY: key, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_TELEMETRY: '1', DISABLE_AUTOUPDATER: '1', DISABLE_ERROR_REPORTING: '1' }
  }),
  'node script.mjs (openai)': script('openai', '(await client.responses.create({ model: "gpt-5.4", input: "Say hello" })).output_text'),
  'node script.mjs (anthropic)': script('@anthropic-ai/sdk', '(await client.messages.create({ model: "claude-sonnet-4-5", max_tokens: 9, messages: [{ role: "user", content: "Say hello" }] })).content[0].text')
}

/** A client before a stand-in upstream: through `run`, or as it is, straight to it. */
async function start (t: Test, client: string, { key = GOOD, straight = false, jobs = false, ...options }: ProviderOptions & { key?: string, straight?: boolean, jobs?: boolean } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'codex-sidecar-one-word-'))
  t.teardown(() => {
    endProcessesOf(home)
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  })
  const upstream = await startProvider(t, options)
  const trap = await startRawUpstream(t, socket => socket.destroy())
  const { command, env = {} } = await clients[client]?.(home, key) as Client
  const [v1, proxy] = [`${upstream.url}/v1`, trap.url]
  const own = straight ? { OPENAI_BASE_URL: v1, ANTHROPIC_BASE_URL: upstream.url } : { CODEX_SIDECAR_OPENAI_UPSTREAM: v1, CODEX_SIDECAR_ANTHROPIC_UPSTREAM: v1 }
  const none = Object.fromEntries(Object.keys(process.env).map(name => [name, undefined]))
  const before = client.startsWith('codex') ? readFileSync(join(home, '.codex', 'config.toml'), 'utf8') : ''
  const [first, ...rest] = command
  const line: [string, ...string[]] = straight ? [first, ...client.startsWith('codex') ? ['-c', `openai_base_url="${v1}"`] : [], ...rest] : [process.execPath, program, 'run', '--', ...command]
  // The system lets nobody stop who has no shell with jobs above him (signal(7), orphaned process groups).
  const started = startProcess(t, jobs ? ['bash', '-c', 'set -m; "$@" & while kill -0 $!; do wait $!; done 2>/dev/null', 'sh', ...line] : line, { detached: true, env: { ...none, PATH: process.env['PATH'], HOME: home, HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: '127.0.0.1', ...own, ...env } })
  const log = (): string => { try { return readFileSync(join(home, '.local/state/codex-sidecar/run.log'), 'utf8') } catch { return '' } }
  return {
    ...started, home, upstream, log,
    get out () { return started.out },
    get err () { return started.err },
    /** Processes that know of the home, but for the shell of a watchdog that is about to end. */
    left: async () => {
      for (const end = Date.now() + 20_000; processesOf(home).length > 0 && Date.now() < end;) await sleep(100)
      return processesOf(home)
    },
    outside: () => trap.connections,
    untouched: () => !client.startsWith('codex') || readFileSync(join(home, '.codex', 'config.toml'), 'utf8') === before,
    free: () => new Promise<boolean>(resolve => {
      const port = Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(log())?.[1])
      const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(false) })
      socket.once('error', () => { resolve(true) })
    })
  }
}

type Run = Awaited<ReturnType<typeof start>>

/** Whatever has happened, nothing of the run is there any more but its log. */
async function leavesNothing (t: Test, run: Run): Promise<void> {
  t.strictSame(await run.left(), [], 'no process')
  t.ok(await run.free(), 'no port')
  t.ok(run.untouched(), 'no word in its configuration')
  t.strictSame(readdirSync(join(run.home, '.local', 'state')), ['codex-sidecar'])
  t.strictSame(readdirSync(join(run.home, '.local', 'state', 'codex-sidecar')), ['run.log'], 'no file')
}

/** Settles once the upstream has the turn, which it never answers. */
async function hanging (run: Run): Promise<void> {
  while (!run.upstream.seen.some(({ url }) => /\/(?:responses|messages)\b/.test(url))) {
    if (run.child.exitCode !== null) throw new Error(`it ended before: ${run.out}${run.err}`)
    await sleep(50)
  }
}

/** The client's own process, by its command line. */
const clientOf = ({ home, child }: Run): number[] => processesOf(home).filter(line => !/ run -- | codex-sidecar \d/.test(line)).map(line => Number.parseInt(line)).filter(pid => pid !== child.pid)

const stateOf = (pid: number): string | undefined => /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]

t.before(() => { if (!existsSync(program)) throw new Error('npm run build first') })

for (const client of Object.keys(clients)) {
  t.test(client, async t => {
    await t.test('a good token answers', async t => {
      const run = await start(t, client)
      t.strictSame(await run.exit, [0, null], run.err)
      t.match(run.out, TEXT)
      t.equal(run.err.match(/codex-sidecar: /g)?.length, 1, 'one line of ours, where the log is')
      t.match(run.log(), /"status":(?:200|101)/)
      t.equal(run.outside(), 0)
      await leavesNothing(t, run)
    })

    await t.test('a dead token’s message is seen, and the exit code is the client’s', async t => {
      const [straight, run] = await Promise.all([start(t, client, { key: DEAD, straight: true }), start(t, client, { key: DEAD })])
      const [code, signal] = await run.exit
      t.ok(code !== 0 && signal === null)
      t.match(run.out + run.err, client === 'claude -p' ? 'Invalid API key' : /Invalid (?:bearer token|x-api-key) - the upstream rejected it/) // Claude Code has words of its own for it
      await leavesNothing(t, run)
      if (client !== 'claude -p') t.strictSame(await straight.exit, [code, signal]) // Claude Code straight goes on for minutes
      else straight.child.kill('SIGKILL')
    })
  })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  for (const client of ['codex exec, without its launcher', 'claude -p', 'node script.mjs (openai)']) {
    if (signal === 'SIGINT' && client.startsWith('codex')) continue // without a terminal Codex goes on for minutes, straight too
    t.test(`${signal} in the middle of a turn of ${client}: as without us`, async t => {
      const ends: unknown[] = []
      for (const straight of [true, false]) {
        const run = await start(t, client, { fault: 'hang', straight })
        await hanging(run)
        run.child.kill(signal)
        const [code, by] = await run.exit
        ends.push(code ?? by)
        if (!straight) await leavesNothing(t, run)
      }
      t.equal(ends[1], ends[0])
    })
  }
}

t.test('SIGTSTP stops the client, SIGCONT lets it go on', async t => {
  const run = await start(t, 'node script.mjs (openai)', { fault: 'hang', jobs: true })
  await hanging(run)
  const lines = processesOf(run.home)
  const find = (command: RegExp): number => Number.parseInt(lines.find(line => command.test(line)) ?? '')
  const [ours, pid] = [find(/^\d+ \S*node \S+ run -- /), find(/^\d+ \S*node \S+script\.mjs$/)]
  process.kill(ours, 'SIGTSTP')
  while (stateOf(pid) !== 'T') await sleep(20)
  process.kill(ours, 'SIGCONT')
  while (stateOf(pid) === 'T') await sleep(20)
  process.kill(ours, 'SIGTERM')
  await run.exit
  await leavesNothing(t, run)
})

for (const client of ['codex exec, without its launcher', 'claude -p', 'node script.mjs (openai)']) {
  t.test(`kill -9 of us, of ${client}`, async t => {
    const parent = await start(t, client, { fault: 'hang' })
    await hanging(parent)
    const closed = once(parent.child, 'close')
    parent.child.kill('SIGKILL')
    await closed // nobody has its streams any more
    await leavesNothing(t, parent)

    const run = await start(t, client, { fault: 'hang' })
    await hanging(run)
    for (const pid of clientOf(run)) try { process.kill(pid, 'SIGKILL') } catch { /* it ended with another */ }
    const [code, signal] = await run.exit
    t.ok(code === 137 || code === 1 || signal !== null, `${code ?? signal}: a shell's code, or that of the client's own launcher`)
    await leavesNothing(t, run)
  })
}
