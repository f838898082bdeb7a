import { join } from 'node:path'
import { stateFolder } from '../../run/log-file.ts'
import type { Launch } from '../launch.ts'
import type { Supervisor } from './supervisor.ts'
import { askTool } from './tool.ts'
import { element } from './xml.ts'

type Env = Readonly<Record<string, string | undefined>>

const NAME = 'codex-sidecar'

/** A word of a batch file: `%` is doubled there, and a name of Windows can hold no quote. */
const word = (text: string): string => `"${text.replaceAll('%', '%%')}"`

/** What the task runs: it sets what a task cannot, and keeps the log. */
export const batch = ({ path: [first = ''], command: [program, ...args], env, origin }: Launch, log: string): string => [
  '@echo off',
  `rem ${origin}/status`,
  'chcp 65001 >nul',
  ...Object.entries({ NODE_ENV: 'production', ...env }).map(([name, value]) => `set ${word(`${name}=${value}`)}`),
  `set "PATH=${first.replaceAll('%', '%%')};%PATH%"`,
  `${[program, ...args].map(word).join(' ')} >>${word(log)} 2>&1`
].map(line => `${line}\r\n`).join('')

/** The task's definition, version 1.2 (Windows 7 and later): at logon, without a window, again where it has failed. */
export const task = (script: string, user: string): string => `<?xml version="1.0" encoding="UTF-16"?>
${element('Task', [
  element('RegistrationInfo', [element('Description', 'codex-sidecar, a local proxy that validates bearer tokens')]),
  element('Triggers', [element('LogonTrigger', [element('UserId', user)])]),
  element('Principals', [element('Principal', [element('UserId', user), element('LogonType', 'InteractiveToken'), element('RunLevel', 'LeastPrivilege')], ' id="Author"')]),
  element('Settings', [
    element('MultipleInstancesPolicy', 'IgnoreNew'),
    element('DisallowStartIfOnBatteries', 'false'),
    element('StopIfGoingOnBatteries', 'false'),
    element('ExecutionTimeLimit', 'PT0S'),
    element('RestartOnFailure', [element('Interval', 'PT1M'), element('Count', '255')])
  ]),
  element('Actions', [element('Exec', [
    element('Command', 'conhost.exe'), // with this word it has no window
    element('Arguments', `--headless cmd.exe /d /s /c ""${script}""`)
  ])], ' Context="Author"')
], ' version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"')}
`

/** Windows' Task Scheduler, at logon. Nothing can ask a task to end in order, so that a restart cuts what is open. */
export function taskScheduler (env: Env): Supervisor {
  const folder = stateFolder(env, 'win32')
  const [script, definition, log] = ['service.cmd', 'service.xml', 'service.log'].map(name => join(folder, name)) as [string, string, string]
  const user = [env['USERDOMAIN'], env['USERNAME']].filter(part => part !== undefined).join('\\')
  const schtasks = (...args: string[]) => askTool('schtasks', args, env)
  const own = ['/TN', NAME]
  return {
    name: 'Task Scheduler',
    scope: 'this user',
    log: `type ${log}`,
    secrets: 'proxy of a route in the configuration file',
    notes: ['None of this was run on Windows yet.'],
    paths: [script, definition],
    written: [log],
    obstacle: async () => (await schtasks('/Query')).code === 0 ? undefined : 'Task Scheduler does not answer: have codex-sidecar run in the foreground',
    files: launch => [{ path: script, text: batch(launch, log) }, { path: definition, text: `\uFEFF${task(script, user)}`, encoding: 'utf16le' }],
    isActive: async () => (await schtasks('/Query', ...own)).code === 0, // its state is told in the user's language
    start: async () => {
      await schtasks('/End', ...own)
      for (const args of [['/Create', ...own, '/XML', definition, '/F'], ['/Run', ...own]]) {
        const { code, text } = await schtasks(...args)
        if (code !== 0) return `schtasks ${args.join(' ')}: ${text}`
      }
      return undefined
    },
    stop: async () => {
      await schtasks('/End', ...own)
      const { code, text } = await schtasks('/Delete', ...own, '/F')
      return code === 0 ? undefined : `schtasks /Delete: ${text}`
    },
    forget: async () => {}
  }
}
