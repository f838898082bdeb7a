import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** ms until a reset: what a peer has not read by then is lost, or the reset is taken for an orderly end. */
const MOMENT = 50

/**
 * Ends the client's connection within an answer, so that nobody takes it for whole. What came of it still goes out before.
 * @param framed whether chunks or a length say where the answer would have ended; without them an orderly end of the
 * connection would be one of the answer too (HTTP/1.0), so that it is reset
 */
export function cut (response: ServerResponse, framed: boolean): void {
  const { socket } = response
  if (socket === null) response.once('socket', () => { process.nextTick(cut, response, framed) }) // it stands behind another answer that is not over yet
  else if (framed) socket.destroySoon()
  else setTimeout(() => { socket.resetAndDestroy() }, MOMENT)
}

/** Ends the client's connection once it is this answer's turn, whatever came of it. From Node 24 on `destroy` does not for one that has no socket yet. */
export function abandon (response: ServerResponse): void {
  response.once('socket', (socket: Socket) => { socket.destroy() }).destroy()
}
