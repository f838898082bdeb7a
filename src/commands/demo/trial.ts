import { EventEmitter, once } from 'node:events'
import { openClient, type Client } from './client.ts'
import { runHelper, type HelperRun } from './helper.ts'
import { runSession, type Session } from './session.ts'
import { openSidecar } from './sidecar.ts'
import { openStandIn, type StandIn } from './stand-in.ts'
import { madeUpJwt, revokedToken } from './tokens.ts'

/** Helpers with each kind of bad token. */
export const HELPERS = 4

/** Helpers that share a bad token. */
export interface Helpers {
  readonly runs: readonly HelperRun[]
  /** Requests with their token that reached the upstream. */
  readonly upstreamRequests: number
}

/** All that was measured on one side of the comparison. */
export interface Trial {
  readonly expired: Helpers
  readonly revoked: Helpers
  /** Connections that were closed under the clients, all in one process. */
  readonly closed: number
  readonly live: Session
  /** A session whose stream the upstream ended after half of it. */
  readonly cut: Session
}

/** Told how many events of the live session have arrived. */
type OnEvent = (events: number) => void

async function runHelpers (client: Client, upstream: StandIn, token: string): Promise<Helpers> {
  const runs = await Promise.all(Array.from({ length: HELPERS }, () => runHelper(client, token)))
  return { runs, upstreamRequests: upstream.requestsWith(token) }
}

/** All at once; the helpers begin when the live session streams, so that they really are beside it. */
async function measure (client: Client, upstream: StandIn, token: string, onEvent: OnEvent): Promise<Trial> {
  const session = new EventEmitter().on('event', onEvent)
  const streaming = once(session, 'event')
  const running = runSession(client, { token, onEvent: events => session.emit('event', events) })
  const beside = async (bad: string): Promise<Helpers> => {
    await Promise.race([streaming, running]) // a session that fails at once has no first event
    return await runHelpers(client, upstream, bad)
  }
  const [live, cut, expired, revoked] = await Promise.all([
    running,
    runSession(client, { token, query: '?cut' }),
    beside(madeUpJwt(-3 * 3600)),
    beside(revokedToken)
  ])
  return { live, cut, expired, revoked, closed: client.closedOnUs() }
}

/** Clients straight at the stand-in upstream. */
export async function trialWithout (onEvent: OnEvent): Promise<Trial> {
  const token = madeUpJwt(3600)
  const upstream = await openStandIn(token)
  try {
    return await trialAt(upstream.url, upstream, token, onEvent)
  } finally {
    await upstream.close()
  }
}

/** The same with the sidecar in between. */
export async function trialWith (onEvent: OnEvent): Promise<Trial> {
  const token = madeUpJwt(3600)
  const upstream = await openStandIn(token)
  try {
    const sidecar = await openSidecar(upstream.url)
    try {
      return await trialAt(sidecar.url, upstream, token, onEvent)
    } finally {
      await sidecar.close()
    }
  } finally {
    await upstream.close()
  }
}

async function trialAt (origin: string, upstream: StandIn, token: string, onEvent: OnEvent): Promise<Trial> {
  const client = openClient(origin)
  try {
    return await measure(client, upstream, token, onEvent)
  } finally {
    await client.close()
  }
}
