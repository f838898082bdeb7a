import { loadConfig } from '../config/config.ts'
import type { Command } from './command.ts'
import { askRunning, messageOf, notRunning } from './running.ts'

/** Has the running one forget what it holds against a token, or against all. Exit 0, 1 where none runs, 2 where the word is no fingerprint. */
export const release: Command = async ({ flags: { json, ...flags }, words: [fingerprint], env, stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  const answer = await askRunning(config, { method: 'DELETE', path: `/status/verdicts${fingerprint === undefined ? '' : `/${encodeURIComponent(fingerprint)}`}` })
  if (answer === undefined) {
    stderr.write(notRunning(config))
    return 1
  }
  if (answer.status !== 200) {
    stderr.write(`codex-sidecar: ${messageOf(answer)}\n`)
    return 2
  }
  const { released } = answer.body as { released: number }
  stdout.write(json === undefined ? `${released === 0 ? 'nothing is held' : `released ${released}; the next request asks the upstream`}\n` : `${JSON.stringify(answer.body)}\n`)
  return 0
}
