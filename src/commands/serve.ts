import { renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { buildApp } from '../app.ts'
import { loadConfig } from '../config.ts'
import { createLog } from '../log.ts'
import type { Command } from './command.ts'

const loopback = /^(?:127\.|::1$|localhost$)/

/** A URL that reaches this listener from this machine. */
function urlOf ({ address, family, port }: AddressInfo): string {
  const everywhere = address === '0.0.0.0' || address === '::'
  return `http://${everywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Whoever waits for the file never sees half of it. */
function writeWhole (file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

/** Runs the proxy until a signal ends it. Exit codes: 0 after a signal, 1 when it can not listen, 2 for a bad configuration. */
export const serve: Command = async ({ flags, env, stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  const log = createLog({ level: config.logLevel, human: stdout.isTTY === true })
  const app = buildApp({ config, log })
  const grace = closeWithGrace({ delay: config.times.drain + config.times.connect, logger: false, skip: ['SIGHUP'] }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal({ err }, 'uncaught error')
    log.info({ signal }, 'draining')
    await app.close()
    log.info('stopped')
  })
  const release = (): void => { log.info({ released: app.verdicts.release() }, 'released what was held against tokens') }
  process.on('SIGHUP', release)
  app.addHook('onClose', () => { process.off('SIGHUP', release) })
  try {
    await app.listen({ host: config.host, port: config.port, listenTextResolver: address => `listening on ${address}` })
  } catch (error) {
    grace.uninstall()
    await app.close()
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    stderr.write(`codex-sidecar cannot listen on ${config.host}:${config.port} (${code}).${code === 'EADDRINUSE' ? ' Something else listens there, perhaps another codex-sidecar; choose another with --port.' : ''}\n`)
    return 1
  }
  const address = app.server.address() as AddressInfo
  const url = urlOf(address)
  for (const { prefix, upstream } of config.routes) log.info(`${url}${prefix}/ goes to ${upstream}`)
  if (!loopback.test(config.host)) log.warn(`listening on ${config.host}: everyone who reaches this address can send requests through it`)
  try {
    if (config.serverInfo !== undefined) writeWhole(config.serverInfo, `${JSON.stringify({ pid: process.pid, port: address.port, url })}\n`)
  } catch (error) {
    log.error(`the server info file ${config.serverInfo} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
  return undefined
}
