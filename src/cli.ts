import { parseArgs } from 'node:util'
import type { Command, CommandContext } from './commands/command.ts'
import { version } from './config/package-files.ts'

interface Entry {
  /** Loads the command: none waits for what only another one needs. */
  readonly load: () => Promise<Command>
  /** Words that may stand after its name. */
  readonly words: number
}

const commands: Readonly<Record<string, Entry>> = {
  run: { load: async () => (await import('./commands/serve.ts')).serve, words: 0 },
  'run --': { load: async () => (await import('./commands/run.ts')).run, words: 0 },
  'ensure --': { load: async () => (await import('./commands/ensure.ts')).ensure, words: 0 },
  check: { load: async () => (await import('./commands/check.ts')).check, words: 0 },
  status: { load: async () => (await import('./commands/status.ts')).status, words: 0 },
  release: { load: async () => (await import('./commands/release.ts')).release, words: 1 },
  doctor: { load: async () => (await import('./commands/doctor.ts')).doctor, words: 0 },
  setup: { load: async () => (await import('./commands/setup.ts')).setup, words: 1 },
  service: { load: async () => (await import('./commands/service.ts')).service, words: 1 },
  demo: { load: async () => (await import('./commands/demo.ts')).demo, words: 0 }
}

/** Flags that stand alone; every other one takes a value. */
const switches = new Set(['json', 'probe', 'running', 'watch', 'use-system-ca', 'write', 'undo', 'yes', 'user', 'machine', 'local-service', 'plugin'])

const help = `codex-sidecar: a local proxy that answers bad bearer tokens itself, at once, and keeps upstream trouble away from clients

  codex-sidecar run -- CLIENT  start a client behind it, on a free port, until the client ends: codex, claude, any command
  codex-sidecar [run]          listen (default 127.0.0.1:7257) until a signal ends it
  codex-sidecar ensure -- CMD  start it in the background where it does not run, then become a command
  codex-sidecar check          judge the token on standard input; exit 0 active, 1 inactive, 2 could not tell
  codex-sidecar status         what the running one knows: credentials, who uses them, what to do
  codex-sidecar release [TOKEN]  have it forget what it holds against a token (its fingerprint), or against all
  codex-sidecar doctor         look for what is wrong: address, clients, logins, network; exit 1 where something is
  codex-sidecar setup CLIENT   print the lines that point a client here: openclaw, codex, claude-code, opencode, kilo,
                               cline, continue, qwen-code, openai, anthropic, ai, agents, langchain
  codex-sidecar service WORD   install, uninstall or status: have the system start it (systemd, launchd, Task Scheduler)
  codex-sidecar demo           show what it does, without any network
  codex-sidecar --help | --version

  --host ADDRESS --port N --config FILE --log-level LEVEL --server-info FILE --use-system-ca
  check: --route PREFIX        the route to judge for (default: the one that fits the token)
         --probe               ask the upstream too
         --running             ask the running one what it holds about the token
  setup: --write              write them into the client's configuration, after showing the change (--yes asks nothing)
         --undo                take back what was written
         --local-service       openclaw 2026.9: lines with which OpenClaw starts codex-sidecar itself
         --plugin              openclaw 2026.9: with the plugin that starts it, and benches no login
  service: --machine           for the whole machine instead of this user (systemd)
  doctor, status, release: --json  the report for programs
  status: --watch              again and again

All options: config/README.md
`

/** Flags by name; what is wrong with them is for the configuration to report. What stands behind `--` is another's. */
function parse (all: readonly string[]) {
  const end = all.indexOf('--')
  const [args, rest] = end === -1 ? [[...all], undefined] : [all.slice(0, end), all.slice(end + 1)]
  const { tokens } = parseArgs({ args, strict: false, allowPositionals: true, tokens: true })
  const flags: Record<string, string | undefined> = {}
  const words: string[] = []
  let open: string | undefined
  for (const token of tokens) {
    if (token.kind === 'option') {
      const value = token.value ?? (switches.has(token.name) ? 'true' : undefined)
      flags[token.name] = value
      open = value === undefined ? token.name : undefined
    } else if (token.kind === 'positional') {
      if (open === undefined) words.push(token.value)
      else flags[open] = token.value
      open = undefined
    }
  }
  return { flags, words, rest }
}

/** What of a command line is not known, and what may have been meant. */
function unknown (entry: Entry | undefined, name: string, words: readonly string[]): string {
  if (entry !== undefined) return `word ${JSON.stringify(words[entry.words])}${name.startsWith('run') ? `, perhaps codex-sidecar run -- ${words.join(' ')}` : ''}`
  return `command ${JSON.stringify(name)}${Object.hasOwn(commands, `${name} --`) ? `, perhaps codex-sidecar ${[name, '--', ...words].join(' ')}` : ''}`
}

/**
 * Runs a command line. Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.
 * @returns the exit code, or undefined where the process goes on
 */
export async function run (args: readonly string[], context: Omit<CommandContext, 'flags' | 'words' | 'rest'>): Promise<number | undefined> {
  const { flags, words: [first = 'run', ...words], rest } = parse(args)
  const name = rest === undefined ? first : `${first} --`
  const { stdout, stderr } = context
  const wanted = 'help' in flags || 'h' in flags || name === 'help' ? help : 'version' in flags || name === 'version' ? `${version()}\n` : undefined
  if (wanted !== undefined) {
    stdout.write(wanted)
    return 0
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined || words.length > entry.words) {
    stderr.write(`codex-sidecar: unknown ${unknown(entry, name, words)}; see codex-sidecar --help\n`)
    return 2
  }
  try {
    const command = await entry.load()
    return await command({ ...context, flags, words, rest })
  } catch (error) {
    // By its name: its class would load the whole configuration for a --help.
    if (!(error instanceof Error) || error.name !== 'ConfigError') throw error
    stderr.write(`codex-sidecar: ${error.message}\n`)
    return 2
  }
}
