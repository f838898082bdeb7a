import type { Config } from '../config/config.ts'
import type { Drain } from '../downstream/drain.ts'
import type { Upgrade } from '../downstream/upgrade.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import { endToEnd, pairsOf } from '../wire/headers.ts'
import { deliveryOf } from './delivery.ts'
import type { Places } from './places.ts'
import type { Pongs } from './sign-of-life.ts'
import { Tunnel, type UpgradedSocket } from './tunnel.ts'

/** A handshake that the upstream has accepted. */
export interface Accepted {
  upgrade: Upgrade
  record: RequestRecord
  /** The upstream's answer: raw headers, and its socket. */
  headers: readonly string[]
  upstream: UpgradedSocket
  /** Where that is. */
  origin: string
  /** Whether a proxy stands before it. */
  proxied: boolean
  /** Whether the route speaks the Responses dialect. */
  explains: boolean
  /** Is told an error message of the upstream that can be read, as parsed JSON. */
  overhear: (event: unknown) => void
  /** Told where the upstream ends it after next to nothing. */
  doubt: () => void
  /** Gives back the place that the handshake took. */
  leave: () => void
}

/** What is told of a tunnel's request. */
export interface Told { readonly opened: (record: RequestRecord) => void, readonly over: (record: RequestRecord) => void }

/** The upstream's own 101: only what RFC 9110 section 7.8 needs of the connection fields, and its end-to-end ones as they are. */
const switching = (headers: readonly string[]): string => {
  const fields = pairsOf(endToEnd(headers)).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${fields.join('')}\r\n`
}

/** Parts of the grace for shutdown after the first of which a silent tunnel is given up: 2 s of 30 s, a minute of 15 min. */
const QUIET_PARTS = 15

/**
 * Takes connections over from HTTP once the upstream has said 101, and counts them.
 * @param places those of all configurations of the process: one that is reloaded keeps its WebSockets
 * @param told of a request when its tunnel opens and when it is over; until then its record is all that is left of it
 */
export function createSwitch ({ limits, times }: Config, places: Places, drain: Drain, { opened, over }: Told) {
  let open = 0
  const pongs = new Map<string, Pongs>()
  const pongsOf = (origin: string): Pongs => {
    const known = pongs.get(origin) ?? { seen: false }
    pongs.set(origin, known)
    return known
  }
  return {
    /** Tunnels open now. */
    get open (): number { return open },

    /**
     * Takes a place, before anything is sent upstream: else as many handshakes as come at once would be let through.
     * @param holder who asks for it: a token
     * @returns gives it back; may be called once
     * @throws SidecarError `lane_full` where no further tunnel may be opened, or not by this one
     */
    admit: (holder: string): (() => void) => places.take(holder, limits.tunnels),

    /** Answers the client with the 101 and joins both sockets. */
    join ({ upgrade, record, headers, upstream, origin, proxied, explains, overhear, doubt, leave }: Accepted): void {
      open++
      const { socket: client, head } = upgrade
      upgrade.release()
      record.status = 101
      opened(record)
      client.write(switching(headers), 'latin1')
      if (head.length > 0) client.unshift(head) // what the client sent before it had our answer
      const tunnel = new Tunnel({
        client, upstream, explains, overhear, doubt, idle: times.idleStream, idleDownload: times.idleDownload, quiet: times.drain / QUIET_PARTS, ping: times.ping, pongs: pongsOf(origin),
        delivery: () => deliveryOf(upstream, proxied),
        onEnd: ending => {
          open--
          leave()
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
