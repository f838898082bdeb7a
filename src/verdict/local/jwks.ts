import { createLocalJWKSet, createRemoteJWKSet, customFetch, type CryptoKey, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { Circuit } from '../../upstream/circuit.ts'
import { createWay } from '../../upstream/connect/way.ts'
import { Lane } from '../../upstream/lane.ts'

/** ms between two fetches of a key set, whatever came of the first one. */
const FETCH_GAP = 60_000

/** The public keys of an issuer. Which one signed is said by the token's `kid` only, never by its `jku` or `x5u`. */
export interface KeySet {
  readonly keyFor: (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>
  /** Fetches the keys anew where they may be outdated. Gives whether they are not, then. */
  readonly renew: () => Promise<boolean>
  readonly close: () => Promise<void>
}

/** Opens a key set; `close()` ends its sockets. `source` is a URL, or a file that the configuration has read. */
export function openKeySet (source: string, config: Config, clock: Clock): KeySet {
  const content = config.keySets[source]
  if (content !== undefined) return { keyFor: createLocalJWKSet(content), renew: () => Promise.resolve(true), close: () => Promise.resolve() }

  const url = new URL(source)
  const lane = new Lane('probe', createWay(url.origin, config), config, new Circuit(clock, config.times.connect))
  let next = -Infinity
  const keys = createRemoteJWKSet(url, {
    cooldownDuration: FETCH_GAP,
    timeoutDuration: config.times.probe,
    [customFetch]: async (_url, { signal, headers }) => {
      const now = clock.monotonic()
      if (now < next) throw new Error('the key set was asked for less than a minute ago')
      next = now + FETCH_GAP
      const { statusCode, body } = await lane.request({ origin: url.origin, path: url.pathname + url.search, method: 'GET', headers: Object.fromEntries(headers), signal })
      return new Response(await body.text(), { status: statusCode })
    }
  })
  return {
    keyFor: keys,
    renew: async () => keys.coolingDown || await keys.reload().then(() => true, () => false),
    close: () => lane.close()
  }
}
