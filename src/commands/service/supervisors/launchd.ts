import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { homeOf } from '../../../config/home.ts'
import { stateFolder } from '../../run/log-file.ts'
import type { Launch } from '../launch.ts'
import type { Supervisor } from './supervisor.ts'
import { askTool } from './tool.ts'
import { element } from './xml.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Name of the job, and of its file. */
const LABEL = 'codex-sidecar'

/** How often, and with how many ms between, it is looked whether a job is gone: longer than ExitTimeOut. */
const PATIENCE = { look: 100, looks: 500 }

/** A value of a property list. */
type Property = string | number | boolean | readonly string[] | { readonly [name: string]: Property }

function property (value: Property): string {
  if (typeof value === 'string') return element('string', value)
  if (typeof value === 'number') return element('integer', String(value))
  if (typeof value === 'boolean') return `<${String(value)}/>`
  if (Array.isArray(value)) return element('array', value.map(property))
  return element('dict', Object.entries(value).flatMap(([name, inner]) => [element('key', name), property(inner)]))
}

/** The job's property list (launchd.plist(5)). */
export const propertyList = ({ path, command, env, origin }: Launch, log: string): string => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${origin}/status -->
${element('plist', [property({
  Label: LABEL,
  ProgramArguments: ['/usr/bin/env', ...command],
  EnvironmentVariables: { PATH: path.join(':'), NODE_ENV: 'production', ...env },
  RunAtLoad: true,
  KeepAlive: { SuccessfulExit: false }, // again after a crash, not after an orderly end
  ThrottleInterval: 10,
  ExitTimeOut: 45, // longer than times.drain and times.connect together, so that running requests can end
  ProcessType: 'Interactive',
  Umask: 0o077,
  StandardOutPath: log,
  StandardErrorPath: log
})], ' version="1.0"')}
`

/** launchd, for the user who is logged in. It hands sockets over only to programs that ask it in C: a restart has a gap. */
export function launchd (env: Env, uid = process.getuid?.(), { look, looks } = PATIENCE): Supervisor {
  const domain = `gui/${uid}`
  const path = join(homeOf(env), 'Library', 'LaunchAgents', `${LABEL}.plist`)
  const log = join(stateFolder(env, 'darwin'), 'service.log')
  const launchctl = (...args: string[]) => askTool('launchctl', args, env)
  const isActive = async (): Promise<boolean> => (await launchctl('print', `${domain}/${LABEL}`)).code === 0
  const stop = async (): Promise<string | undefined> => {
    if (!await isActive()) return undefined
    const { text } = await launchctl('bootout', `${domain}/${LABEL}`)
    for (let left = looks; left > 0; left--) { // it answers before the job is gone
      if (!await isActive()) return undefined
      await sleep(look)
    }
    return `launchctl bootout: ${text}`
  }
  return {
    name: 'launchd',
    scope: 'this user',
    log: `tail -f ${log}`,
    secrets: 'proxy of a route in the configuration file',
    notes: [],
    paths: [path],
    written: [log],
    obstacle: async () => (await launchctl('print', domain)).code === 0
      ? undefined
      : 'launchd has no session for this user (ssh without a login at the screen, or sudo): have codex-sidecar run in the foreground, or begin a client with codex-sidecar run -- CLIENT',
    files: launch => [{ path, text: propertyList(launch, log) }],
    isActive,
    start: async () => {
      const fault = await stop()
      if (fault !== undefined) return fault
      await launchctl('enable', `${domain}/${LABEL}`)
      const { code, text } = await launchctl('bootstrap', domain, path)
      return code === 0 ? undefined : `launchctl bootstrap: ${text}`
    },
    stop,
    forget: async () => {}
  }
}
