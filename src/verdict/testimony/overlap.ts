/** Letters and digits in a row that a text may not share with a token: fewer are words. */
const SHARED = 8

/** Characters of a token beyond which nothing is compared: of such a one nothing is said again. */
const LONG = 16_384

/** Ways to write a character in a URL, a page or JSON. */
const escape = /%([0-9a-f]{2})|&#x([0-9a-f]{1,6});|&#(\d{1,7});|\\u([0-9a-f]{4})/gi

/** Letters and digits alone, in lower case, with escapes undone: who repeats a token may put anything between its parts. */
const plain = (text: string): string => text
  .replace(escape, (_all, hex?: string, page?: string, decimal?: string, json?: string) => {
    const code = decimal === undefined ? parseInt((hex ?? page ?? json) as string, 16) : Number(decimal)
    return code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
  .replace(/[^A-Za-z0-9]+/g, '').toLowerCase()

/** All runs of so many characters. */
function * runsOf (text: string): Generator<string> {
  for (let at = 0; at + SHARED <= text.length; at++) yield text.slice(at, at + SHARED)
}

/**
 * Makes the check whether a text has a part of a token in it, as it stands or in base64; it takes time by the length of
 * both of them, no more.
 */
export function overlapWith (token: string): (text: string) => boolean {
  if (token.length > LONG) return () => true
  const parts = token.split(/\s+/).filter(part => part !== '')
  const runs = new Set(parts.flatMap(part => [...runsOf(plain(part))]))
  return text => parts.some(part => text.includes(part)) ||
    [text, Buffer.from(text, 'base64').toString('latin1')].some(one => [...runsOf(plain(one))].some(run => runs.has(run)))
}
