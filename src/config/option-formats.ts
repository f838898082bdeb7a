function tryUrl (text: string): URL | null {
  try { return new URL(text) } catch { return null }
}

/** Formats of option values that JSON Schema does not know. */
export const formats = {
  /** A URL, or anything else as the name of a file. */
  'key-set': (text: string): boolean => !/^https?:/.test(text) || tryUrl(text) !== null,
  /** An http or https URL without user, query or fragment. */
  upstream (text: string): boolean {
    const url = tryUrl(text)
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === ''
  }
}
