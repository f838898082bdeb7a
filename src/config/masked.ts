/** A text without what a URL may hold of a secret: user, password, query and fragment, also where it is none for want of a scheme. */
export const masked = (text: string): string =>
  text.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/*).*@/is, '$1***@').replace(/([?#]).+/s, '$1***')
