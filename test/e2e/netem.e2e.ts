import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'

// A far upstream over a bad path: 200 ms there and back, 2 % loss, a gap of 40 s. The two ends are namespaces of their own,
// and the path between them is link.py, since many kernels lack `tc netem`. NETEM_SECONDS: of the streams; the gap is a
// third of the way in.

const seconds = Number(process.env['NETEM_SECONDS'] ?? 300)
const GAP = Math.min(40, seconds / 3)
const far = join(import.meta.dirname, 'far')
const allowed = process.platform === 'linux' && existsSync('/dev/net/tun') && process.getuid?.() === 0 &&
  ['unshare -n true', 'python3 --version', 'ip -V', 'nsenter --version'].every(command => {
    const [program = '', ...args] = command.split(' ')
    return spawnSync(program, args).status === 0
  })

interface Told { name: string, whole?: boolean, events?: number, ms?: number, code?: number, reason?: string, end?: string }

/** A program in a namespace of its own, and what it says. */
function inNamespace (t: Test, script: string, ...args: string[]) {
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up; echo there; read go; exec "$@"', 'sh',
    process.execPath, `--import=${import.meta.resolve('../../.typescript/import.js')}`, join(far, script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill() })
  return { child, next: linesOf(child) }
}

/** The lines that a process says, one after the other. */
function linesOf (child: ChildProcess): (until?: string) => Promise<string> {
  const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]()
  return async until => {
    for (;;) {
      const { value, done } = await lines.next() as { value: string, done?: boolean }
      if (done === true) throw new Error('it ended')
      if (until === undefined || value.includes(until)) return value
    }
  }
}

t.test('a far upstream over a bad path', { skip: !allowed && 'this machine allows no namespaces with a link between them', timeout: (seconds + 180) * 1000 }, async t => {
  const upstream = inNamespace(t, 'upstream.ts', String(seconds))
  const client = inNamespace(t, 'client.ts')
  await Promise.all([upstream.next('there'), client.next('there')])
  const pids = [client, upstream].map(({ child }) => String(child.pid))
  const link = spawn('python3', [join(far, 'link.py'), ...pids, '100', '2'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => { link.kill() })
  await linesOf(link)('ready')
  for (const [i, pid] of pids.entries()) {
    for (const command of [`addr add 10.99.0.${i + 1}/24 dev link`, 'link set dev link up mtu 1400']) execFileSync('nsenter', ['-t', pid, '-n', 'ip', ...command.split(' ')])
  }
  upstream.child.stdin.write('go\n')
  await upstream.next('ready')
  client.child.stdin.write('go\n')
  await client.next('begun')

  await sleep(seconds / 3 * 1000)
  link.stdin.write('down\n')
  await sleep(GAP * 1000)
  link.stdin.write('up\n')
  for (let streams = 0; streams < 2; streams++) {
    const told = JSON.parse(await client.next('"whole"')) as Told
    t.comment(JSON.stringify(told))
    t.match(told, { whole: true, events: told.name === 'beating' ? seconds + 1 : 2 }, `the ${told.name} stream of ${seconds} s arrives whole`)
  }
  link.stdin.write('down\n')
  client.child.stdin.write('gone\n')
  const gone = JSON.parse(await client.next('"gone"')) as Told & { ms: number }
  t.comment(JSON.stringify(gone))
  t.match(gone, { code: 1011, reason: /^upstream_timeout: .*no sign of life/ })
  t.ok(gone.ms < 30_000, `a dead path is found out after ${(gone.ms / 1000).toFixed(1)} s`)
  client.child.stdin.end()
  await once(client.child, 'exit')
})
