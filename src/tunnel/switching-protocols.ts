import { SidecarError } from '../answers/errors.ts'
import type { Config } from '../config/config.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Upgrade } from '../downstream/upgrade.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import { endToEnd, pairsOf } from '../wire/headers.ts'
import { Tunnel, type UpgradedSocket } from './tunnel.ts'

/** A handshake that the upstream has accepted. */
export interface Accepted {
  upgrade: Upgrade
  record: RequestRecord
  /** The upstream's answer: raw headers, and its socket. */
  headers: readonly string[]
  upstream: UpgradedSocket
  /** Whether the route speaks the Responses dialect. */
  explains: boolean
}

/** The upstream's own 101: only what RFC 9110 section 7.8 needs of the connection fields, and its end-to-end ones as they are. */
const switching = (headers: readonly string[]): string => {
  const fields = pairsOf(endToEnd(headers)).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${fields.join('')}\r\n`
}

/**
 * Takes connections over from HTTP once the upstream has said 101, and counts them.
 * @param over told of a request when its tunnel is over; until then its record is all that is left of it
 */
export function createSwitch ({ limits, times }: Config, drain: Drain, over: (record: RequestRecord) => void) {
  let open = 0
  return {
    /** Tunnels open now. */
    get open (): number { return open },

    /** @throws SidecarError `lane_full` where no further tunnel may be opened */
    admit (): void {
      if (open >= limits.tunnels) throw new SidecarError('lane_full', { detail: String(limits.tunnels), retryAfter: 1 })
    },

    /** Answers the client with the 101 and joins both sockets. */
    join ({ upgrade, record, headers, upstream, explains }: Accepted): void {
      open++
      const { socket: client, head } = upgrade
      upgrade.release()
      record.status = 101
      client.write(switching(headers), 'latin1')
      upstream.write(head) // what the client sent before it had our answer
      const tunnel = new Tunnel({
        client, upstream, explains, idle: times.idleStream,
        onEnd: ending => {
          open--
          done()
          record.ending = ending
          over(record)
        }
      })
      const done = drain.track(tunnel)
    }
  }
}

export type Switch = ReturnType<typeof createSwitch>
