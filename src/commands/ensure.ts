import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../config/config.ts'
import type { Command, CommandContext } from './command.ts'
import { become } from './ensure/become.ts'
import { whoAnswers } from './ensure/who-answers.ts'
import { ownOrigin } from './own-address.ts'
import { backgroundLogFile, openForLines } from './run/log-file.ts'

/** ms between two looks whether it is there. */
const LOOK = 50

/** Starts this program on its own, in a session without a terminal, so that it outlives whoever has asked for it. */
function startInBackground ({ flags, env, self: [command, ...args] }: Required<Pick<CommandContext, 'flags' | 'env' | 'self'>>): void {
  const given = Object.entries(flags).map(([name, value]) => `--${name}=${String(value)}`)
  const log = openForLines(backgroundLogFile(env))
  try {
    spawn(command, [...args, ...given], { env, detached: true, stdio: ['ignore', log, log], windowsHide: true }).on('error', () => {}).unref()
  } finally {
    closeSync(log)
  }
}

/**
 * Sees to it that a sidecar listens, and becomes another command, for instance the one that gives Codex its token: it then
 * has our standard streams, and nothing of it goes through us. The command is run whatever becomes of the sidecar.
 */
export const ensure: Command = async ({ flags, env, rest: [command, ...args] = [], stderr, self, ...others }) => {
  const say = (words: string): unknown => stderr.write(`codex-sidecar: ${words}\n`)
  if (command === undefined) {
    say('ensure -- needs a command to become')
    return 2
  }
  const config = loadConfig({ flags, env })
  const origin = ownOrigin(config)
  let answering = await whoAnswers(origin, config.times.connect)
  if (answering === 'nobody' && self !== undefined) {
    try {
      startInBackground({ ...others, flags, env, self })
      for (const end = Date.now() + config.times.connect; answering === 'nobody' && Date.now() < end;) {
        await sleep(LOOK)
        answering = await whoAnswers(origin, config.times.connect)
      }
    } catch (error) {
      say(`cannot write ${backgroundLogFile(env)} (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  if (answering !== 'ours') say(answering === 'nobody' ? `nobody answers at ${origin}` : `another program has ${origin}`)
  return await become({ command, args, env }, code => say(`cannot start ${command} (${code})`))
}
