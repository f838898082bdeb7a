import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { freePort } from '../../fixtures/free-port.ts'
import { startRawUpstream } from '../../fixtures/upstream.ts'
import { writeHome, type HomeOptions, type Logins } from './home.ts'
import type { Installation } from './installation.ts'
import { Operator } from './operator.ts'

const TOKEN = 'gateway-token-of-a-test'
/** Milliseconds for the gateway to start, on a machine that may be busy. */
const START = 180_000

/** What a test changes in a gateway's surroundings. */
export interface Surroundings {
  readonly adapt?: HomeOptions['adapt']
  readonly plain?: HomeOptions['plain']
  /** Variables that the gateway and what it starts have besides. */
  readonly variables?: Readonly<Record<string, string>>
  /** What is done to its configuration, by its path, before the gateway starts. */
  readonly prepare?: (config: string) => void
}

/** The real gateway with a home of its own and one client at it. */
export async function startGateway (t: Test, installation: Installation, baseUrls: HomeOptions['baseUrls'], logins: Logins, { adapt, plain, variables, prepare }: Surroundings = {}) {
  // Whatever is still meant for the network ends here and is counted.
  const outside: string[] = []
  const trap = await startRawUpstream(t, socket => {
    socket.once('data', (data: Buffer) => {
      outside.push(data.toString('latin1').split('\r\n')[0] ?? '')
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n') // merely cut, it is tried again without end
    })
  })
  const port = await freePort()
  const home = await writeHome(t, { version: installation.version, baseUrls, logins, port, token: TOKEN, plain, adapt })
  const env = {
    PATH: process.env['PATH'],
    HOME: home.folder,
    TMPDIR: home.folder,
    NODE_USE_ENV_PROXY: '1', // fetch itself would pass the trap by
    OPENCLAW_STATE_DIR: home.state,
    OPENCLAW_CONFIG_PATH: home.config,
    OPENCLAW_SKIP_CHANNELS: '1',
    OPENCLAW_SKIP_CRON: '1',
    OPENCLAW_SKIP_GMAIL_WATCHER: '1',
    OPENCLAW_SKIP_CANVAS_HOST: '1',
    OPENCLAW_DISABLE_BONJOUR: '1',
    OPENCLAW_NO_RESPAWN: '1',
    OPENCLAW_DISABLE_UPDATE_CHECK: '1',
    AWS_EC2_METADATA_DISABLED: 'true', // its AWS client would ask the cloud for a role at every start
    HTTP_PROXY: trap.url, HTTPS_PROXY: trap.url, ALL_PROXY: trap.url, http_proxy: trap.url, https_proxy: trap.url, all_proxy: trap.url,
    NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost',
    ...variables
  }
  if (!installation.version.startsWith('2026.4.')) { // this version keeps its logins in a database, and only its doctor fills it
    spawnSync(installation.node, [installation.program, 'doctor', '--fix', '--non-interactive'], { cwd: home.workspace, env, timeout: START, stdio: 'ignore' })
  }
  /** What a person types in a shell. */
  const type = (words: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(installation.node, [installation.program, ...words], { cwd: home.workspace, env, timeout: START, encoding: 'utf8' })
    if (status !== 0) throw new Error(`openclaw ${words.join(' ')} ended with ${status ?? 'none'}:\n${stdout}${stderr}`)
    return stdout
  }
  prepare?.(home.config)
  const child = spawn(installation.node, [installation.program, 'gateway', 'run'], { cwd: home.workspace, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(timer)
  }
  t.teardown(stop)
  const log = createWriteStream(join(home.folder, 'gateway.log'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => { said += text; log.write(text) })
  }
  const deadline = Date.now() + START
  let operator: Operator | undefined
  let last: unknown
  while (operator === undefined) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with exit ${child.exitCode}:\n${said.slice(-2000)}`)
    if (Date.now() > deadline) throw new Error(`the gateway did not start within ${START} ms: ${String(last)}\n${said.slice(-2000)}`)
    try { operator = await Operator.connect(port, TOKEN) } catch (error) { last = error; await sleep(500) }
  }
  const connected = operator
  t.teardown(() => connected.close())
  return {
    operator: connected, home, pid: child.pid, stop, type,
    get alive () { return child.exitCode === null && child.signalCode === null },
    /** First lines of what it sent beyond loopback. */
    outside,
    get said () { return said },
    /** Gives the logins other tokens, as a sign-in or a revocation does: on disk first, then read again. */
    async signIn (tokens: Logins) {
      await home.write(tokens)
      await connected.call('secrets.reload', {})
    }
  }
}
