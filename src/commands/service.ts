import { loadConfig } from '../config/config.ts'
import type { Command, CommandContext } from './command.ts'
import { install } from './service/install.ts'
import { status } from './service/status.ts'
import { launchd } from './service/supervisors/launchd.ts'
import type { Supervisor } from './service/supervisors/supervisor.ts'
import { systemd } from './service/supervisors/systemd.ts'
import { taskScheduler } from './service/supervisors/task-scheduler.ts'
import { uninstall } from './service/uninstall.ts'

/** What starts programs on this system; undefined where there is nothing that is known here. */
function supervisorOf (platform: NodeJS.Platform, env: CommandContext['env'], isMachine: boolean): Supervisor | undefined {
  if (platform === 'linux') return systemd(env, isMachine)
  if (isMachine) return undefined
  return platform === 'darwin' ? launchd(env) : platform === 'win32' ? taskScheduler(env) : undefined
}

/**
 * Makes this program a service of the user or of the machine, takes that back, or says how it is. Exit 0 done or ready,
 * 1 failed or not ready, 2 for a wrong command line or configuration.
 * @param patience ms for its start
 */
export const serviceOn = (platform: NodeJS.Platform, patience?: number): Command => async context => {
  const { flags: { user, machine, ...flags }, env, words: [word], stderr, self } = context
  const wrong = (words: string): 2 => {
    stderr.write(`codex-sidecar: ${words}\n`)
    return 2
  }
  if (user !== undefined && machine !== undefined) return wrong('a service is of this user (--user) or of the whole machine (--machine)')
  const supervisor = supervisorOf(platform, env, machine !== undefined)
  if (supervisor === undefined) return wrong(`${machine === undefined ? 'service knows systemd, launchd and Task Scheduler' : '--machine is for systemd'}: on this system have what starts programs run codex-sidecar in the foreground`)
  if (word === 'uninstall') return await uninstall(context, supervisor)
  if (word === 'status') return await status(context, supervisor)
  if (word !== 'install' || self === undefined) return wrong('service needs one of install, uninstall, status')
  const config = loadConfig({ flags, env })
  if (config.port === 0) return wrong('a service needs a port that stays, not 0')
  return await install({ ...context, flags }, self, config, supervisor, patience)
}

/** The service of this system. */
export const service: Command = serviceOn(process.platform)
