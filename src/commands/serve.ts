import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { buildApp } from '../app/app.ts'
import { Listener } from '../app/listener.ts'
import { saveMemory } from '../app/memory.ts'
import { loadConfig, type Config } from '../config/config.ts'
import { nameOf, shownName } from '../config/routes.ts'
import { createLog } from '../telemetry/log.ts'
import { Coalesced } from './coalesced.ts'
import type { Command } from './command.ts'
import { reload } from './reload.ts'
import { writeServerInfo } from './server-info.ts'
import { inheritedSockets } from './socket-activation.ts'
import { atTerminal, endByHangup, isTerminalGone } from './terminal.ts'

const loopback = /^(?:127\.|::1$|localhost$)/

/** Says where requests go. */
function announce ({ routes }: Config, url: string, log: Logger): void {
  for (const route of routes) log.info(`${url}${shownName(nameOf(route))} goes to ${route.upstream}`)
}

/** Runs the proxy until a signal ends it. Exit codes: 0 after a signal, 1 when it can not listen, 2 for a bad configuration. */
export const serve: Command = async ({ flags, env, stdout, stderr }) => {
  saveMemory()
  const config = loadConfig({ flags, env })
  const log = createLog({ level: config.logLevel, human: stdout.isTTY === true })
  const listener = new Listener(buildApp({ config, log }))
  const had = atTerminal()
  let stopping = false
  let hungUp = false
  let removeInfo = (): void => {}
  const stopOnSignals = ({ times }: Config) =>
    closeWithGrace({ delay: times.drain + times.connect, logger: false, skip: ['SIGHUP'] }, async ({ signal, err }) => {
      stopping = true
      if (err !== undefined) log.fatal({ err }, 'uncaught error')
      log.info({ signal }, 'draining')
      await reloads.end()
      await listener.close()
      removeInfo()
      log.info('stopped')
      /* c8 ignore next: see onHangup */
      if (hungUp) await endByHangup(onHangup)
    })
  let grace = stopOnSignals(config)
  /** Shells and the system both send it when a terminal is closed. */
  const onHangup = (): void => {
    if (stopping) log.info('no reload while draining')
    /* c8 ignore next 4: it ends by a signal then, and nobody is told what of it has run */
    else if (isTerminalGone(had)) {
      hungUp = true
      grace.close()
    } else reloads.ask()
  }
  let address: { url: string, port: number }
  const reloads = new Coalesced(async () => {
    const present = await reload({ flags, env }, listener, log)
    announce(present, address.url, log)
    const { uninstall } = grace // it has the old times
    grace = stopOnSignals(present) // first: Node loses signals that come while nobody listens
    uninstall()
  })
  try {
    address = await listener.listen(config.host, config.port, inheritedSockets(env))
  } catch (error) {
    grace.uninstall()
    await listener.close()
    const { code = 'unknown error', address: host = config.host } = error as NodeJS.ErrnoException & { address?: string }
    stderr.write(`codex-sidecar cannot listen on ${host}:${config.port} (${code}).${code === 'EADDRINUSE' ? ' Something else listens there, perhaps another codex-sidecar; choose another with --port.' : ''}\n`)
    return 1
  }
  process.on('SIGHUP', onHangup) // before anybody can read that it listens
  const { url, port } = address
  log.info(`listening on ${url}`)
  announce(config, url, log)
  if (!loopback.test(config.host)) log.warn(`listening on ${config.host}: everyone who reaches this address can send requests through it`)
  try {
    if (config.serverInfo !== undefined) removeInfo = writeServerInfo(config.serverInfo, { pid: process.pid, port, url })
  } catch (error) {
    log.error(`the server info file ${config.serverInfo} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
  return undefined
}
