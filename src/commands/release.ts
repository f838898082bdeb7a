import { loadConfig } from '../config/config.ts'
import { tableOf } from '../wire/json.ts'
import type { Command } from './command.ts'
import { askRunning, messageOf, notRunning } from './running.ts'

/** Has the running one forget what it holds against a token, or against all. Exit 0, 1 where none runs, 2 where the word is no fingerprint. */
export const release: Command = async ({ flags: { json, ...flags }, words: [fingerprint], env, stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  if (fingerprint !== undefined && !/^[0-9a-f]{8}$/.test(fingerprint)) { // it may be the token itself, which is not to get into any path
    stderr.write('codex-sidecar: a fingerprint is the 8 hex digits that status and the log show as token\n')
    return 2
  }
  const answer = await askRunning(config, { method: 'DELETE', path: `/status/verdicts${fingerprint === undefined ? '' : `/${fingerprint}`}` })
  if (answer === undefined) {
    stderr.write(notRunning(config))
    return 1
  }
  const { released } = tableOf(answer.body)
  if (typeof released !== 'number') {
    stderr.write(`codex-sidecar: ${messageOf(answer)}\n`)
    return 2
  }
  stdout.write(json === undefined ? `${released === 0 ? 'nothing is held' : `released ${released}; the next request asks the upstream`}\n` : `${JSON.stringify({ released })}\n`)
  return 0
}
