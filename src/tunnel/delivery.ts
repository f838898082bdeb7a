import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * What the system knows of the bytes that were sent on a TCP socket: the peer's system has them, or it has given no sign of
 * life for some time though it was asked again, or there is no telling.
 */
export type Delivery = 'acknowledged' | 'lost' | 'unknown'

/** Tries without an answer from which on a path counts as dead; one packet is lost every day. */
const TRIES = 2

/** Timers of Linux's `/proc/net/tcp`: to send again what was not acknowledged, to ask a peer that takes nothing. */
const RETRANSMIT = '01'
const PROBE = '04'

/** The tries of the timer that runs: their columns are hexadecimal and decimal. */
function triesOf ([, , , , , timer = '', retransmits = '', , probes = '']: readonly string[]): number {
  if (timer.startsWith(RETRANSMIT)) return parseInt(retransmits, 16)
  return timer.startsWith(PROBE) ? Number(probes) : 0
}

/**
 * Asks the system about a socket. Only Linux tells, to everyone; Node has no TCP_INFO.
 * @param proxied whether the peer may be a proxy: what that has acknowledged is not at the upstream yet
 * @param folder of the system's tables
 */
export async function deliveryOf ({ localPort, remotePort }: Pick<Socket, 'localPort' | 'remotePort'>, proxied: boolean, folder = '/proc/self/net'): Promise<Delivery> {
  if (localPort === undefined || remotePort === undefined) return 'unknown'
  const tables = await Promise.all(['tcp', 'tcp6'].map(table => readFile(`${folder}/${table}`, 'latin1').catch(() => '')))
  const [local, remote] = [localPort, remotePort].map(port => `:${port.toString(16).toUpperCase().padStart(4, '0')}`) as [string, string]
  const rows = tables.flatMap(table => table.split('\n')).map(line => line.trim().split(/\s+/))
    .filter(([, from = '', to = '']) => from.endsWith(local) && to.endsWith(remote))
  if (rows.length === 0) return 'unknown'
  if (rows.every(row => triesOf(row) >= TRIES)) return 'lost' // to other addresses there may be one more
  return proxied ? 'unknown' : 'acknowledged'
}
