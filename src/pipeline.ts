import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The open answers of each client connection, in the order of their requests (RFC 9112 section 9.3.2). Node gives the
 * socket to the first only, and when the client leaves tells it alone: the others would wait for ever.
 */
export function trackPipelines (server: Server) {
  const open = new WeakMap<Socket, Set<ServerResponse>>()
  const begin = (socket: Socket): Set<ServerResponse> => {
    const responses = new Set<ServerResponse>()
    open.set(socket, responses)
    socket.once('close', () => {
      for (const response of responses) {
        if (response.socket === null) response.destroy().emit('close')
      }
    })
    return responses
  }
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    server.on(event, ({ socket }: IncomingMessage, response: ServerResponse) => {
      const responses = open.get(socket) ?? begin(socket)
      responses.add(response)
      response.once('close', () => responses.delete(response))
    })
  }
  return {
    /**
     * Calls `next` once the answer to every request that has come whole on this connection is finished; never where
     * the client leaves first.
     */
    after (socket: Socket, next: () => void): void {
      const last = [...open.get(socket) ?? []].filter(({ req }) => req.complete).at(-1)
      if (last === undefined) next()
      else last.once('close', () => { if (!socket.destroyed) next() })
    }
  }
}

export type Pipelines = ReturnType<typeof trackPipelines>
