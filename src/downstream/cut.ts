import type { ServerResponse } from 'node:http'

/**
 * Ends an answer so that it can not be taken for whole. To HTTP/1.1 it lacks its last chunk or some of its length then; to
 * HTTP/1.0 the end of the connection would be that of the answer (RFC 9112 section 6.3), unless it is a reset.
 */
export function cut (response: ServerResponse): void {
  if (response.req.httpVersion === '1.0') response.socket?.resetAndDestroy()
  response.destroy()
}
