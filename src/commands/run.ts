import { existsSync } from 'node:fs'
import { buildApp } from '../app/app.ts'
import { Listener } from '../app/listener.ts'
import { saveMemory } from '../app/memory.ts'
import { loadConfig, type Config } from '../config/config.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import type { Command, CommandContext } from './command.ts'
import { shown } from '../config/home.ts'
import { runChild, type Ended } from './run/child.ts'
import { planFor } from './run/clients.ts'
import { pastProxies } from './run/environment.ts'
import { logFile, openLogFile } from './run/log-file.ts'
import { atTerminal, endByHangup, hasTerminal, isTerminalGone } from './terminal.ts'

/** The log of a run, and where it is; one that cannot be written is no reason not to start a client. */
function openLog ({ logLevel: level }: Config, env: CommandContext['env']): { log: Log, where: string[] } {
  const silent = createLog({ level: 'silent' })
  if (level === 'silent') return { log: silent, where: [] }
  const file = logFile(env)
  try {
    return { log: createLog({ level, destination: openLogFile(file, process.pid) }), where: [`log in ${shown(file, env)}`] }
  } catch (error) {
    return { log: silent, where: [`no log, since ${shown(file, env)} cannot be written (${(error as NodeJS.ErrnoException).code})`] }
  }
}

/** Vercel's SDK adds no /v1 to Anthropic's base URL, Anthropic's own does (field.md H9): one variable for both. */
const forBoth = (config: Config): Config => ({
  ...config,
  routes: config.routes.flatMap(route => route.prefix === '/v1/messages' ? [route, { ...route, prefix: '/messages' }] : [route])
})

/** What a system means that finds no such file: a script's interpreter may be missing. */
const whyMissing = (command: string): string => !/[/\\]/.test(command) ? 'it is not on the PATH' : existsSync(command) ? 'the program that its first line names is not there' : 'there is no such file'

/** Ends by a signal that has ended the client, so that whoever has started us sees what it would have seen of the client. */
function endBy (signal: Ended['signal']): void {
  if (signal !== null && /^SIG(?:INT|TERM|HUP)$/.test(signal)) process.kill(process.pid, signal)
}

/** Our configuration for a run: a port of its own, and no word to those who look for the one that listens for all. */
function configFor ({ flags, env }: CommandContext, upstreams: CommandContext['env']): Config {
  const { 'server-info': serverInfo, ...others } = flags
  const { serverInfo: _, ...config } = loadConfig({ flags: { host: '127.0.0.1', port: '0', ...others }, env: { ...upstreams, ...env } })
  return forBoth({ ...config, ...serverInfo === undefined ? {} : { serverInfo } })
}

/**
 * Runs a client behind us: on a free port, until it ends, with its exit code. Nothing of its configuration is changed.
 * Exit 1 where it cannot listen, 2 for a bad configuration, 126 and 127 where the client cannot be started.
 */
export const run: Command = async context => {
  const { flags, env, rest: [command, ...args] = [], stderr } = context
  const say = (words: string): unknown => stderr.write(`codex-sidecar: ${words}\n`)
  if (command === undefined) {
    say('run -- needs the command of a client, for instance codex-sidecar run -- codex')
    return 2
  }
  saveMemory()
  const had = atTerminal()
  const plan = planFor(command, { env, args, config: loadConfig({ flags, env }) })
  const config = configFor(context, plan.upstreams)
  const { log, where } = openLog(config, env)
  const listener = new Listener(buildApp({ config, log }))
  let url: string
  try {
    ({ url } = await listener.listen(config.host, config.port))
  } catch (error) {
    await listener.close()
    say(`cannot listen on ${config.host}:${config.port} (${(error as NodeJS.ErrnoException).code})`)
    return 1
  }
  log.info({ command }, `listening on ${url}`)
  const { args: before = [], env: variables = {}, footprint, finish = () => [], notes = [] } = plan.point(url)
  for (const note of [...plan.notes, ...notes, ...where]) say(note)
  const after = (): void => { for (const note of finish()) say(note) }
  const { code, signal } = await runChild({ command, args: [...before, ...args], env: { ...env, ...pastProxies(env), ...variables }, terminal: hasTerminal(), footprint, after },
    code => say(`cannot start ${command} (${code})${code === 'ENOENT' ? `: ${whyMissing(command)}` : ''}`))
  log.info({ code, signal }, 'draining')
  await listener.close()
  /* c8 ignore next: it ends by a signal then, and nobody is told what of it has run */
  if (process.platform !== 'win32' && isTerminalGone(had)) await endByHangup()
  endBy(signal)
  return code
}
