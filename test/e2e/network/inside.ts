import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ownNamespace } from '../own-namespace.ts'
import { build } from '../sidecar-process.ts'

/** Says to a file of tests that it is in namespaces of its own. */
const INSIDE = 'CODEX_SIDECAR_TEST_INSIDE'

/** A namespace `there` beside this one, and a link to it: `near` here, `far` there. */
export const link = 'ip netns add there; ip link add near type veth peer name far netns there; ip link set near up; ip -n there link set far up'

/** Runs a line of a shell, its output for the test to read. */
export const shell = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' })

/**
 * Plays a file of tests in namespaces of its own, where it may do as it likes with the network: the file is run once more,
 * there. Skipped where the machine does not allow them, or lacks a program.
 * @param body is given the main file of the program as it is built, or of that which SIDECAR names
 */
export async function inside (file: string, programs: readonly string[], body: (t: Test, main: string) => Promise<void>): Promise<void> {
  t.setTimeout(0)
  if (process.env[INSIDE] === 'yes') {
    await t.test('the built program', { timeout: 0 }, async t => { await body(t, process.env['SIDECAR'] ?? await build()) })
    return
  }
  const missing = programs.filter(program => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
  const [program = '', ...args] = ownNamespace(['/run/netns']) ?? []
  const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}`
    : spawnSync(program, [...args, 'sh', '-ec', link]).status !== 0 ? 'this machine allows no namespaces with a link between them' : false
  if (skip !== false) await t.test('in namespaces of its own', { skip }, () => {})
  else await t.spawn(program, [...args, process.execPath, ...process.execArgv, file], { timeout: 0, env: { ...process.env, [INSIDE]: 'yes' } }, 'in namespaces of its own')
}

/** The built program, with the variables given and no others but PATH; it may be told to stand still. */
export async function startProgram (t: Test, main: string, env: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const info = join(t.testdir(), 'info.json')
  const child = spawn(process.execPath, [main, '--port', '0', '--server-info', info, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...env } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const exit = once(child, 'exit')
  t.teardown(async () => { child.kill('SIGKILL'); await exit })
  while (!existsSync(info)) {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`)
    await sleep(20)
  }
  const { port, url } = JSON.parse(readFileSync(info, 'utf8')) as { port: number, url: string }
  return { child, port, url, get said () { return said } }
}

/** What `doctor --json` of the built program finds, and what it says to people. */
export async function diagnose (main: string, env: Readonly<Record<string, string>>) {
  const doctor = async (...more: string[]): Promise<string> => {
    const child = spawn(process.execPath, [main, 'doctor', ...more], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...env } })
    return (await child.stdout.toArray() as Buffer[]).join('')
  }
  const [json, text] = await Promise.all([doctor('--json'), doctor()])
  const { findings } = JSON.parse(json) as { findings: { check: string, severity: string, looked: string, result: string, mend?: string }[] }
  return { json, text, of: (check: string, host = 'api.openai.com') => findings.find(finding => finding.check === check && finding.looked.includes(host)) }
}

/** The stand-in upstream in the namespace `there`, at all its addresses; it says what it sees. */
export async function startUpstreamThere (t: Test) {
  const child = spawn('ip', ['netns', 'exec', 'there', process.execPath, ...process.execArgv, join(import.meta.dirname, 'upstream.ts')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  t.teardown(async () => { child.kill('SIGKILL'); await exit })
  const seen = new Map<number, number>()
  let resets = 0
  let wake: (() => void) | undefined
  const lines = createInterface(child.stdout)
  const ready = once(lines, 'line')
  lines.on('line', line => {
    const { id, reset } = JSON.parse(line) as { id?: number, reset?: boolean }
    if (id !== undefined) seen.set(id, (seen.get(id) ?? 0) + 1)
    if (reset === true) resets++
    wake?.()
  })
  await ready
  return {
    /** Has it reset all its connections. */
    reset: async (): Promise<void> => {
      const before = resets
      child.stdin.write('reset\n')
      while (resets === before) await new Promise<void>(resolve => { wake = resolve })
    },
    /** How often a request was seen. */
    times: (id: number): number => seen.get(id) ?? 0,
    /** How often the one was seen that was seen most often. */
    most: (): number => Math.max(...seen.values())
  }
}
