/** A program that makes requests, by its own words. */
export interface Client {
  readonly name: string
  /** Empty where it tells none. */
  readonly version: string
}

/** What one is called that tells no name: two of them need not be the same. */
export const UNNAMED = 'unnamed'

/** Characters that are kept of a name, and of a version. */
const NAME = 40
const VERSION = 24
/** Characters of a field that are looked at. */
const READ = 512

/** SDKs write their language behind a slash and the version behind a blank: `OpenAI/JS 6.49.0`. */
const sdk = /^((?:Async)?(?:OpenAI|Anthropic)\/[\w-]+) (\d[\w.+-]*)/
/** RFC 9110 section 10.1.5. */
const product = /^([!#$%&'*+.^`|~\w-]+)(?:\/([!#$%&'*+.^`|~\w-]+))?/
/** Browsers are all called Mozilla; the last of these that one names is its own. */
const browser = /\b(Firefox|Edg|Chrome|Safari)\/(\d[\d.]*)/
/** Nobody's name begins like that, nor holds what is as long as a key. */
const secret = /^(?:sk|ek|pk|at)[-_]|^ey[JI]|(?:^|[^A-Za-z0-9])(?:(?:sk|ek|pk|rk|gh[a-z]|xox[a-z])[-_]|ey[JI])[\w.-]{12}|bearer\s/i

/** A copy that holds no other text in memory, without what is not visible. */
const bounded = (text: string, most: number): string => Buffer.from(text.replace(/[^\x21-\x7e]+/g, ' ').trim().slice(0, most), 'latin1').toString('latin1')

const named = (text: string): string => secret.test(text) ? '' : bounded(text, NAME)

function productOf (userAgent: string): Client {
  const [, name = '', version = ''] = sdk.exec(userAgent) ?? (userAgent.startsWith('Mozilla/') ? browser.exec(userAgent) : null) ?? product.exec(userAgent) ?? []
  return { name: named(name), version: secret.test(version) ? '' : bounded(version, VERSION) }
}

/**
 * Who makes a request: what calls itself so in `originator`, which Codex and its relatives send, else the first product of
 * `User-Agent`. Both where they differ: a program can use another one's library.
 */
export function clientOf (userAgent = '', originator = ''): Client {
  const { name, version } = productOf(userAgent.slice(0, READ))
  const own = named(originator.slice(0, READ))
  if (own === '') return { name: name === '' ? UNNAMED : name, version }
  return name === '' || name.toLowerCase() === own.toLowerCase() ? { name: own, version } : { name: bounded(`${own} (${name})`, NAME), version }
}

/** "codex_cli_rs 0.169.0". */
export const shownClient = ({ name, version }: Client): string => version === '' ? name : `${name} ${version}`
