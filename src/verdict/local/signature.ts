import { compactVerify, decodeProtectedHeader, errors } from 'jose'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { nameOf } from '../../config/routes.ts'
import type { Credential } from '../../credential/credential.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { Inactive, Validator } from '../verdict.ts'
import { openKeySet, type KeySet } from './jwks.ts'

/** What a route's JWTs are checked with. */
interface Issuer { readonly keys: KeySet, readonly algorithms: string[] }

const forged: Inactive = { state: 'inactive', reason: 'invalid_signature', source: 'signature', detail: '' }

/**
 * Whether a token is certainly not by this issuer. A key or an algorithm that is not known here is no proof: keys are
 * added and lists go out of date. Without a `kid` the key that fits may be a newer one.
 */
async function mismatches (token: string, { keys, algorithms }: Issuer): Promise<boolean> {
  const { kid, alg } = decodeProtectedHeader(token)
  if (alg === 'none') return true // RFC 7518 section 3.6: nobody has signed it
  try {
    await compactVerify(token, keys.keyFor, { algorithms })
    return false
  } catch (error) {
    return error instanceof errors.JWSSignatureVerificationFailed && kid !== undefined
  }
}

/**
 * Checks the signatures of JWTs on routes that name their issuer's keys. It may reject, never accept: a token with a
 * good signature can be revoked. `close()` ends the sockets of the key sets.
 */
export function createSignatureValidator (config: Config, clock: Clock): Validator & { readonly close: () => Promise<void> } {
  const issuers = new Map<string, Issuer>()
  const flights = new Map<string, Promise<Inactive | undefined>>()
  for (const route of config.routes) {
    const { jwks } = route
    if (jwks !== undefined) issuers.set(nameOf(route), { keys: openKeySet(jwks.source, config, clock), algorithms: jwks.algorithms })
  }

  /** A key may have been replaced under its name, so a mismatch counts only against keys that are up to date. */
  const check = async (token: string, issuer: Issuer): Promise<Inactive | undefined> =>
    await mismatches(token, issuer) && await issuer.keys.renew() && await mismatches(token, issuer) ? forged : undefined

  return {
    validate (credential: Credential, { route }: Presentation) {
      const name = nameOf(route)
      const issuer = issuers.get(name)
      if (issuer === undefined || credential.claims === undefined) return undefined
      const key = `${credential.fingerprint} ${name}`
      const flight = flights.get(key) ?? check(credential.reveal(), issuer).finally(() => { flights.delete(key) })
      flights.set(key, flight)
      return flight
    },
    close: async () => { await Promise.all([...issuers.values()].map(({ keys }) => keys.close())) }
  }
}
