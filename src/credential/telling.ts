import { hash, randomBytes } from 'node:crypto'
import { isOfOneRequest } from '../wire/fields/request-fields.ts'

/** Fields that say nothing of who asks, whatever the upstream: what kind of answer is wanted, and by what kind of library. Hop-by-hop ones do not get there. */
const mute = /^(?:accept(?:-.*)?|cache-control|connection|dnt|host|http2-settings|keep-alive|pragma|priority|proxy-.*|sec-.*|te|trailer|transfer-encoding|upgrade.*|x-stainless-.*)$/

/** Names of fields that are remembered, and the length of those that are, characters. */
const NAMES = 1_000
const LONGEST = 100

/** Hex digits of a digest that are kept: one token has few programs. */
const DIGITS = 8

/**
 * Makes the reader of what else in a request may tell an upstream who asks, as a keyed digest. An upstream that refuses
 * without a reason may have looked at any of it, so that its word counts only for requests that are the same in it too;
 * the shape has what the known upstreams look at when they give a reason. Any field may tell that is not known to say
 * nothing: gateways have their own (`helicone-auth`, `x-portkey-api-key`, `x-team-id`).
 * @param key of the digests; a random one for each process, since some of these fields are secrets
 */
export function createTellingReader (key: string = randomBytes(32).toString('hex')) {
  const names = new Map<string, string | undefined>()
  let last = { words: '', digest: '' }

  /** The name in lower case, if it is one of those. */
  function tellingName (name: string): string | undefined {
    const known = names.get(name)
    if (known !== undefined || names.has(name)) return known
    const field = name.toLowerCase()
    const told = mute.test(field) || isOfOneRequest(field) ? undefined : field
    if (names.size < NAMES && name.length <= LONGEST) names.set(name, told)
    return told
  }

  /** @param except fields that are judged elsewhere, lower-case */
  return function tellOf (raw: readonly string[], except: readonly string[]): string {
    let words = ''
    for (let i = 0; i < raw.length; i += 2) {
      const field = tellingName(raw[i] as string)
      const value = raw[i + 1] as string
      // Lengths in front, so that no two lists read the same.
      if (field !== undefined && !except.includes(field)) words += `${field} ${value.length} ${value}\n`
    }
    if (words === '') return ''
    if (words !== last.words) last = { words, digest: hash('sha256', key + words).slice(0, DIGITS) }
    return last.digest
  }
}

export type TellingReader = ReturnType<typeof createTellingReader>
