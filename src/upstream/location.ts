/** What may refer to the upstream itself: a URL, or a path from its root. Any other reference is relative to the request's own path and true here too. */
const reference = /^(?:https?:\/)?\//i

/** Fields of an answer that hold a reference (RFC 9110 sections 8.7 and 10.2.2), by their length. */
const fields: ReadonlyMap<number, string> = new Map(['location', 'content-location'].map(field => [field.length, field]))

/**
 * Makes the references in an answer's raw header list that lead to our own upstream lead through us, as nginx's
 * `proxy_redirect` does: else a client follows them past us, and SDKs leave the credential behind on another origin. They
 * become paths: each client resolves those against the URL it asked (RFC 9110 section 10.2.2), whatever name, port or proxy
 * before us that has, while a Host field may be missing or wrong. All other references stay as they are.
 * @param prefix of the route, without a trailing slash
 * @param upstream what takes the place of the prefix
 */
export function createRelocation (prefix: string, { href, origin, pathname }: URL): (headers: string[]) => void {
  const base = pathname.replace(/\/$/, '')
  const relocated = (value: string): string => {
    if (!reference.test(value) || !URL.canParse(value, href)) return value
    const url = new URL(value, href)
    const rest = url.pathname.slice(base.length)
    const ours = url.origin === origin && url.pathname.startsWith(base) && (rest === '' || rest.startsWith('/'))
    return ours ? `${prefix}${rest}${url.search}${url.hash}` : value
  }
  return headers => {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      if (fields.get(name.length) === name.toLowerCase()) headers[i + 1] = relocated(headers[i + 1] as string)
    }
  }
}
