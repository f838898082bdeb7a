import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { nameOf } from '../config/routes.ts'
import type { CredentialReader } from '../credential/credential.ts'
import type { Usage } from '../telemetry/usage/usage.ts'
import type { VerdictCache } from '../verdict/cache/cache.ts'
import { verdictsOn } from '../verdict/cache/listing.ts'
import { tellCredential } from './credentials.ts'
import type { NewerLogins } from './newer.ts'
import { createReplaced } from './replaced.ts'

export interface HeldSources { config: Config, read: CredentialReader, usage: Usage, verdicts: VerdictCache, newer: NewerLogins, clock: Clock }

/** Tells what is known of the credential that comes with the question itself. Nothing is learned from it, and nobody asked. */
export function createHeld ({ config, read, usage, verdicts, newer, clock }: HeldSources) {
  return async function held (raw: readonly string[]) {
    await newer.look()
    const now = { wall: clock.wall(), monotonic: clock.monotonic() }
    const presented = config.routes.flatMap(route => {
      const one = read(raw, route.credential)
      return one.kind === 'credential' ? [{ route, credential: one.credential }] : []
    })
    const used = presented.map(({ credential }) => usage.find(credential.fingerprint)).find(found => found !== undefined)
    return {
      credential: used === undefined ? null : tellCredential(used, { entries: verdicts.entries, newer, replaced: createReplaced(usage), salt: usage.salt, now }),
      verdicts: presented.flatMap(({ route, credential }) => verdictsOn(verdicts.entries, credential.keyOn(nameOf(route)), now.monotonic))
    }
  }
}

export type HeldReader = ReturnType<typeof createHeld>
export type Held = Awaited<ReturnType<HeldReader>>
