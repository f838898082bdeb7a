import { LRUCache } from 'lru-cache'
import { clientOf, shownClient } from '../../wire/fields/user-agent.ts'

/** A program, once for all that it did. */
export interface KnownClient {
  readonly name: string
  readonly version: string
  /** Both in one. */
  readonly shown: string
}

/** Programs that are remembered. */
const MOST = 1_000
/** Characters of what names one; of longer names nothing is remembered. */
const LONGEST = 512

/** Reads who makes a request, and each new name only once. */
export function createClientReader () {
  const known = new LRUCache<string, KnownClient>({ max: MOST })
  let last: { userAgent: string | undefined, originator: string | undefined, client: KnownClient } | undefined
  const read = (userAgent: string, originator: string): KnownClient => {
    const client = clientOf(userAgent, originator)
    return { ...client, shown: shownClient(client) }
  }
  return function clientBy (userAgent: string | undefined, originator: string | undefined): KnownClient {
    if (last !== undefined && last.userAgent === userAgent && last.originator === originator) return last.client
    const key = `${userAgent ?? ''}\n${originator ?? ''}`
    let client = known.get(key)
    if (client === undefined) {
      client = read(userAgent ?? '', originator ?? '')
      if (key.length <= LONGEST) known.set(key, client)
    }
    if (key.length <= LONGEST) last = { userAgent, originator, client }
    return client
  }
}
