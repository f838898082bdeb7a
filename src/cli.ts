import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { check } from './commands/check.ts'
import type { Command, CommandContext } from './commands/command.ts'
import { demo } from './commands/demo.ts'
import { serve } from './commands/serve.ts'
import { ConfigError } from './config.ts'

const commands: Readonly<Record<string, Command>> = { run: serve, check, demo }

const help = `codex-sidecar: a local proxy that answers bad bearer tokens itself, at once, and keeps upstream trouble away from clients

  codex-sidecar [run]          listen (default 127.0.0.1:7257) until a signal ends it
  codex-sidecar check          judge the token on standard input; exit 0 active, 1 inactive, 2 could not tell
  codex-sidecar demo           show what it does, without any network
  codex-sidecar --help | --version

  --host ADDRESS --port N --config FILE --log-level LEVEL --server-info FILE
  check: --route PREFIX        the route to judge for (default: the one that fits the token)
         --probe               ask the upstream too

All options: README.md
`

const version = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version

/** Flags by name; every one takes a value, and what is wrong with them is for the configuration to report. */
function parse (args: readonly string[]) {
  const { tokens } = parseArgs({ args: [...args], strict: false, allowPositionals: true, tokens: true })
  const flags: Record<string, string | undefined> = {}
  const words: string[] = []
  let open: string | undefined
  for (const token of tokens) {
    if (token.kind === 'option') {
      flags[token.name] = token.value
      open = token.value === undefined ? token.name : undefined
    } else if (token.kind === 'positional') {
      if (open === undefined) words.push(token.value)
      else flags[open] = token.value
      open = undefined
    }
  }
  return { flags, words }
}

/**
 * Runs a command line. Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.
 * @returns the exit code, or undefined where the process goes on
 */
export async function run (args: readonly string[], context: Omit<CommandContext, 'flags'>): Promise<number | undefined> {
  const { flags, words: [name = 'run', ...more] } = parse(args)
  const { stdout, stderr } = context
  const wanted = 'help' in flags || 'h' in flags || name === 'help' ? help : 'version' in flags || name === 'version' ? `${version()}\n` : undefined
  if (wanted !== undefined) {
    stdout.write(wanted)
    return 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined || more.length > 0) {
    stderr.write(`codex-sidecar: unknown ${command === undefined ? `command ${JSON.stringify(name)}` : `word ${JSON.stringify(more[0])}`}; see codex-sidecar --help\n`)
    return 2
  }
  try {
    return await command({ ...context, flags })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    stderr.write(`codex-sidecar: ${error.message}\n`)
    return 2
  }
}
