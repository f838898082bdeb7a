import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../config/config.ts'
import type { ToldCredential } from '../status/credentials.ts'
import type { Status } from '../status/status.ts'
import type { Command } from './command.ts'
import { askStatus, notRunning } from './running.ts'
import { printable } from './terminal.ts'

/** ms between two looks. */
const PAUSE = 2_000

/** Credentials and verdicts. */
const MOST = 100

/** Clears a terminal and goes to its top. */
const CLEAR = '\x1b[H\x1b[2J'

const units: readonly (readonly [seconds: number, name: string])[] = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']]

/** "3 h", the largest unit alone. */
export function span (seconds: number): string {
  const [size, name] = units.find(([size]) => seconds >= size) ?? [1, 's']
  return `${Math.floor(seconds / size)} ${name}`
}

/** A credential in words: how it stands, who uses it, what to do. */
export function credentialText ({ name, state, words, ageSeconds, endsInSeconds, todo, clients, requests, limits, token }: ToldCredential): string {
  const ends = endsInSeconds === null ? '' : endsInSeconds < 0 ? `, ended ${span(-endsInSeconds)} ago` : `, ends in ${span(endsInSeconds)}`
  const counts = Object.entries(requests).filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`)
  const lines = [
    `${name}: ${state}, ${span(ageSeconds)} ago: ${words}${ends}`,
    ...todo === null ? [] : [`  -> ${todo}`],
    `  used by ${clients.map(({ name, version }) => `${name} ${version}`.trim()).join(', ')}; ${counts.join(', ')}; token ${token}`,
    ...limits.map(({ name, words }) => `  ${name}: ${words}`)
  ]
  return `${lines.join('\n')}\n`
}

/** The status for a terminal. */
function statusText ({ version, state, listening, credentials: { kept, list }, refusals, routes }: Status): string {
  const down = routes.flatMap(({ path, circuit }) => circuit.state === 'open' ? [`${path} is cut off: ${circuit.message}\n`] : [])
  const network = refusals.filter(({ about, fromPage }) => about !== 'credential' && fromPage === undefined).slice(0, 5)
  return [
    `codex-sidecar ${version} at ${listening ?? 'an address of its own'}: ${state}\n`, ...down,
    `\n${kept} credential${kept === 1 ? '' : 's'}${kept > list.length ? `, those used last` : ''}\n`, ...list.map(credentialText),
    ...network.length === 0 ? [] : ['\nOther refusals and failures\n', ...network.map(({ code, count, at, message }) => `${code}, ${count} times, the last at ${at}: ${message}\n`)]
  ].join('')
}

/** Shows what the running one knows: credentials, who uses them, what to do. Exit 0, or 1 where none runs. */
export const status: Command = async ({ flags: { json, watch, ...flags }, env, stdout, stderr }) => {
  const config = loadConfig({ flags, env })
  for (;;) {
    const told = await askStatus(config, MOST)
    if (told === undefined) {
      stderr.write(notRunning(config))
      return 1
    }
    const text = json === undefined ? printable(statusText(told)) : `${JSON.stringify(told)}\n`
    stdout.write(watch !== undefined && stdout.isTTY === true ? `${CLEAR}${text}` : text)
    if (watch === undefined) return 0
    await sleep(PAUSE)
  }
}
