import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Where a connection holds its open answers; see credential/per-connection.ts for what a WeakMap would cost. */
const open = Symbol('open answers')

type Tracked = Socket & { [open]?: ServerResponse[] }

/**
 * The open answers of each client connection, in the order of their requests (RFC 9112 section 9.3.2). Node gives the
 * socket to the first only, and when the client leaves tells it alone: the others would wait for ever.
 */
export function trackPipelines () {
  const begin = (socket: Tracked): ServerResponse[] => {
    const responses: ServerResponse[] = socket[open] = []
    socket.once('close', () => {
      for (const response of [...responses]) {
        if (response.socket === null) response.destroy().emit('close')
      }
    })
    return responses
  }
  return {
    /** Takes note of the requests that a server is given; each is to be ended. */
    watch (server: Server): void {
      for (const event of ['request', 'checkContinue', 'checkExpectation']) {
        server.on(event, ({ socket }: IncomingMessage, response: ServerResponse) => { ((socket as Tracked)[open] ?? begin(socket)).push(response) })
      }
    },

    /** An answer is over: finished, or its client is gone. That to an upgrade is none of these. */
    ended (response: ServerResponse): void {
      const responses = (response.req.socket as Tracked)[open] ?? []
      const at = responses.indexOf(response)
      if (at >= 0) responses.splice(at, 1)
    },

    /**
     * Calls `next` once the answer to every request that has come whole on this connection is finished; never where
     * the client leaves first.
     */
    after (socket: Socket, next: () => void): void {
      const last = (socket as Tracked)[open]?.filter(({ req }) => req.complete).at(-1)
      if (last === undefined) next()
      else last.once('close', () => { if (!socket.destroyed) next() })
    }
  }
}

export type Pipelines = ReturnType<typeof trackPipelines>
