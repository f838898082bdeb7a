import { loadConfig } from '../config/config.ts'
import type { Command } from './command.ts'
import { codexFindings } from './doctor/clients/codex.ts'
import { editorFindings } from './doctor/clients/editors.ts'
import { environmentFindings } from './doctor/clients/environment.ts'
import { openclawFindings, ownProviders } from './doctor/clients/openclaw.ts'
import { listenerFindings } from './doctor/listener.ts'
import { openclawLogins } from './doctor/logins/openclaw.ts'
import { commandSqlite, ownSqlite } from '../logins/sqlite.ts'
import { asRunning, collectLogins, runningFindings } from './doctor/running.ts'
import { proxyFindings } from './doctor/network/proxy.ts'
import { networkFindings } from './doctor/network/upstream.ts'
import { humanText, jsonText, worstOf } from './doctor/report.ts'
import { askStatus } from './running.ts'
import { printable } from './terminal.ts'

/** Credentials of the running one that are looked through. */
const MOST = 1_000

/**
 * Looks for what is wrong: address, clients, logins, proxies, upstreams, clock. It changes nothing and shows no secret.
 * Exit 1 where there is a problem; notes and warnings leave it at 0, since everything works at the moment.
 */
export const doctor: Command = async ({ flags: { json, ...flags }, env, stdout }) => {
  const config = loadConfig({ flags, env })
  const { logins, found } = collectLogins()
  const clients = [
    ...openclawFindings(env, config), ...openclawLogins(env, ownSqlite() ?? commandSqlite(env), ownProviders(env, config), found),
    ...codexFindings(env, config, found), ...editorFindings(env, config),
    ...environmentFindings(env, config)
  ]
  const origins = clients.flatMap(({ origin }) => origin ?? [])
  const running = await askStatus(config, MOST)
  const { config: present, findings: elsewhere } = asRunning(config, running)
  const [listener, network] = await Promise.all([listenerFindings(config, origins), networkFindings(env, present)])
  const findings = [...listener, ...clients, ...runningFindings(running, logins), ...elsewhere, ...proxyFindings(env, present), ...network]
  stdout.write(json === undefined ? printable(humanText(findings)) : jsonText(findings))
  return worstOf(findings) === 'problem' ? 1 : 0
}
