import { join } from 'node:path'
import { filled, homeOf } from '../../../config/home.ts'
import type { Supervisor } from './supervisor.ts'
import { serviceUnit, socketUnit } from './systemd-units.ts'
import { askTool } from './tool.ts'

type Env = Readonly<Record<string, string | undefined>>

const units = ['codex-sidecar.socket', 'codex-sidecar.service'] as const

/** What the machine's service does not see, since it is somebody's. */
const hidden = /^\/(?:home|root|run\/user|tmp|var\/tmp)\//

/** systemd, that of the user or that of the machine. */
export function systemd (env: Env, isMachine: boolean, uid = process.getuid?.()): Supervisor {
  const folder = isMachine ? '/etc/systemd/system' : join(filled(env['XDG_CONFIG_HOME']) ?? join(homeOf(env), '.config'), 'systemd', 'user')
  const [socket, service] = units.map(name => join(folder, name)) as [string, string]
  const systemctl = (...args: string[]) => askTool('systemctl', [...isMachine ? [] : ['--user'], ...args], env)
  /** One after the other, until one fails. */
  const each = async (...commands: string[][]): Promise<string | undefined> => {
    for (const command of commands) {
      const { code, text } = await systemctl(...command)
      if (code !== 0) return `systemctl ${command.join(' ')}: ${text}`
    }
    return undefined
  }
  const isActive = async (unit: string): Promise<boolean> => (await systemctl('is-active', '--quiet', unit)).code === 0
  return {
    name: 'systemd',
    scope: isMachine ? 'the whole machine' : 'this user',
    log: `journalctl ${isMachine ? '' : '--user '}-u codex-sidecar`,
    secrets: isMachine ? '/etc/codex-sidecar/env' : `${filled(env['XDG_CONFIG_HOME']) ?? '~/.config'}/codex-sidecar/env`,
    notes: isMachine ? [] : ['It runs while you are logged in; loginctl enable-linger keeps it running all the time.'],
    paths: [socket, service],
    written: [],
    obstacle: async launch => {
      if ((await systemctl('show', '--property=Version')).code !== 0) {
        return isMachine
          ? 'there is no systemd here, in a container for instance: have it run codex-sidecar in the foreground'
          : 'this user has no systemd here (a container, or a session by su or sudo): have codex-sidecar run in the foreground, begin a client with codex-sidecar run -- CLIENT, or, where the machine has systemd, sudo codex-sidecar service install --machine'
      }
      if ((await askTool('setpriv', ['--pdeathsig', 'TERM', 'true'], env)).code !== 0) return 'setpriv --pdeathsig is missing: install util-linux 2.33 or newer'
      if (!isMachine) return undefined
      if (uid !== 0) return 'the whole machine is root’s: sudo codex-sidecar service … --machine'
      const seen = launch === undefined ? [] : [launch.path[0] as string, ...launch.command.map(word => word.replace(/^--[\w-]+=/, ''))]
      const unseen = seen.find(path => hidden.test(path))
      return unseen === undefined ? undefined : `the machine’s service does not see ${unseen}: have it in /usr/local, /opt or /etc, or install for this user, without --machine`
    },
    files: launch => [{ path: socket, text: socketUnit(launch) }, { path: service, text: serviceUnit(launch, isMachine) }],
    isActive: () => isActive(units[0]),
    start: async changed => {
      // A socket's address can only change while nobody has it.
      const isMoved = changed.has(socket) && await isActive(units[0])
      await systemctl('reset-failed', ...units) // those that were started too often
      return await each(
        ['daemon-reload'],
        ...isMoved ? [['stop', ...units]] : [],
        ['enable', ...units],
        ['start', units[0]],
        ['restart', units[1]])
    },
    stop: () => each(['disable', '--now', ...units]),
    forget: () => each(['daemon-reload'], ['reset-failed', ...units])
  }
}
