import type { CommandContext } from '../command.ts'

/** Narrower than a terminal, so that a line never wraps: \r would not reach its beginning. */
const WIDTH = 79

/** What is going on, for whoever watches. */
export interface Progress {
  /** A new step; `detail` changes while it lasts. */
  readonly step: (text: string) => void
  readonly detail: (text: string) => void
  readonly done: () => void
}

/** One line that is written over on a terminal; elsewhere a line for each step and no details. */
export function createProgress (stdout: CommandContext['stdout']): Progress {
  if (stdout.isTTY !== true) return { step: text => stdout.write(`${text}\n`), detail: () => {}, done: () => {} }
  let current = ''
  const show = (text: string): void => { stdout.write(`\r${text.padEnd(WIDTH)}`) }
  return {
    step: text => { show(current = text) },
    detail: text => { show(`${current} ${text}`) },
    done: () => {
      show('')
      stdout.write('\r')
    }
  }
}
