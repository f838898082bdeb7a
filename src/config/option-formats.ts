import { isNone, readProxy } from './network/proxy.ts'

function tryUrl (text: string): URL | null {
  try { return new URL(text) } catch { return null }
}

/** Whether there is a URL, and no user or password in it: it is shown in logs and on pages. */
const isPublic = (url: URL | null): url is URL => url !== null && url.username === '' && url.password === ''

/** A field that reaches the upstream: none of those that belong to one connection (RFC 9110 section 7.6.1). */
const field = '(?!(?:connection|content-length|expect|host|http2-settings|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade)(?::|$))[\\w!#$%&\'*.^`|~-]+'
const fieldName = new RegExp(`^${field}$`, 'i')
const mark = new RegExp(`^${field}(?::[\\t ]*[\\x21-\\x7e](?:[\\t\\x20-\\x7e]*))?$`, 'i')

/** Formats of option values that JSON Schema does not know. */
export const formats = {
  /** A URL without user and password, or anything else as the name of a file. */
  'key-set': (text: string): boolean => !/^https?:/.test(text) || isPublic(tryUrl(text)),
  /** The name of an end-to-end header field. */
  field: (text: string): boolean => fieldName.test(text),
  /** The same, or with the beginning of its value behind a colon. */
  mark: (text: string): boolean => mark.test(text),
  /** A proxy that can be used, or none. */
  proxy: (text: string): boolean => isNone(text) || readProxy(text, '') !== undefined,
  /** An http or https URL without user, query or fragment. */
  upstream (text: string): boolean {
    const url = tryUrl(text)
    return isPublic(url) && /^https?:$/.test(url.protocol) && !/[?#]/.test(text)
  }
}
