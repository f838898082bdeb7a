import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a request was made by a web page of another origin, of one's own machine too: no site but this one's own port
 * is trusted (Fetch Metadata). What a person opens, by a link as well, is none; the page that made the link gets nothing.
 */
export function isFromForeignPage (method: string | undefined, { host = '', origin, ...fields }: IncomingHttpHeaders): boolean {
  if (origin !== undefined && origin !== `http://${host}`) return true
  const site = fields['sec-fetch-site'] ?? 'none'
  const opened = fields['sec-fetch-mode'] === 'navigate' && fields['sec-fetch-dest'] === 'document' && method === 'GET'
  return site !== 'none' && site !== 'same-origin' && !opened
}
