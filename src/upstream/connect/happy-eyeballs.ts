import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { aborted } from './aborted.ts'

/** Where a TCP connection goes to. */
export interface Endpoint { readonly hostname: string, readonly port: number }

/** ms until the next address is tried beside those that are being tried (RFC 8305 section 5, connection attempt delay). */
const DELAY = 250

/** As undici has it, which Node's types do not know. */
const options = { highWaterMark: 65_536 }

/** What says of this machine alone that an address can not be reached: not why the upstream can not. */
const local: ReadonlySet<unknown> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL', 'EACCES', 'EPERM'])

/** What a name stands for. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

/** As the system resolves it now: nothing is kept. */
const resolveNow: Resolve = hostname => lookup(hostname, { all: true })

/** The families by turns (RFC 8305 section 4). */
function byTurns (found: readonly LookupAddress[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family)
  const others = found.filter(({ family }) => family !== found[0]?.family)
  return [...first.flatMap((one, i) => [one, ...others.slice(i, i + 1)]), ...others.slice(first.length)].map(({ address }) => address)
}

/**
 * Connects to the first address that answers; no try is given up before another one has succeeded. Node gives each address
 * 250 ms and then it is out, so that a far upstream could not be reached at all beside a route that leads nowhere
 * (nodejs/node#54359).
 * @param signal ends it, for which its reason is thrown
 * @throws the failure of the last address that says something about the upstream
 */
export async function reach ({ hostname, port }: Endpoint, signal: AbortSignal, resolve = resolveNow): Promise<Socket> {
  const addresses = byTurns(await Promise.race([resolve(hostname), aborted(signal)]))
  return await new Promise((resolve, reject) => {
    const tries = new Set<Socket>()
    let timer: NodeJS.Timeout | undefined
    let failure: NodeJS.ErrnoException | undefined
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      for (const socket of tries) socket.destroy()
    }
    const giveUp = (): void => {
      settle()
      reject(signal.reason as Error)
    }
    const attempt = (): void => {
      clearTimeout(timer)
      const address = addresses.shift()
      if (address === undefined) return
      const socket = connect({ host: address, port, ...options })
      tries.add(socket)
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (!tries.delete(socket)) return
        if (failure === undefined || !local.has(error.code)) failure = error
        attempt()
        if (tries.size > 0) return
        settle()
        reject(failure)
      })
      socket.once('connect', () => {
        tries.delete(socket)
        settle()
        resolve(socket)
      })
      timer = setTimeout(attempt, DELAY)
    }
    signal.addEventListener('abort', giveUp)
    attempt()
  })
}
