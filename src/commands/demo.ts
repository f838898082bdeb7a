import type { Command } from './command.ts'
import { createProgress } from './demo/progress.ts'
import { report } from './demo/report.ts'
import { EVENTS } from './demo/stand-in.ts'
import { trialWith, trialWithout } from './demo/trial.ts'

/**
 * Shows what the program does, measured on the spot against an upstream of its own: no network, about 5 seconds, then
 * it ends. Exit 2 where flags are given, since none would change anything.
 */
export const demo: Command = async ({ flags, stdout, stderr }) => {
  const [flag] = Object.keys(flags)
  if (flag !== undefined) {
    stderr.write(`codex-sidecar: demo takes no flags, not even --${flag}\n`)
    return 2
  }
  const progress = createProgress(stdout)
  const streamed = (events: number): void => { progress.detail(`${events} of ${EVENTS} events`) }
  progress.step('1/2 without codex-sidecar ...')
  const without = await trialWithout(streamed)
  progress.step('2/2 with codex-sidecar ...')
  const beside = await trialWith(streamed)
  progress.done()
  stdout.write(`${report(without, beside)}\n`)
  return 0
}
