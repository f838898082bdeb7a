import type { Socket } from 'node:net'

/** ms for reading what had come before a connection broke: it is here already, unless its reader takes nothing. */
const MOMENT = 1_000

/** What a write says of a connection whose other side is gone. */
const gone: ReadonlySet<string | undefined> = new Set(['EPIPE', 'ECONNRESET'])

type Done = (error?: NodeJS.ErrnoException | null) => void

/**
 * Has a connection that can no longer be written to be read to its end before it fails. A server that answers within an
 * upload and closes resets what still comes (RFC 9112 section 9.6), and Node drops with its failed write the answer that is here.
 * @param socket that nobody else listens to yet
 * @param onEnd told where a connection that broke so looks as if it ended in order
 */
export function readOutFirst (socket: Socket, onEnd: () => void): void {
  let failed = false
  socket.on('end', () => { if (failed) onEnd() })
  const held = (done: Done): Done => error => {
    if (!gone.has(error?.code)) return done(error)
    failed = error?.code !== 'EPIPE' || process.platform !== 'linux' // which says it where an orderly end came before the reset; others of each
    const fail = (): void => {
      clearTimeout(timer)
      socket.off('end', fail)
      done(error)
    }
    const timer = setTimeout(fail, MOMENT)
    socket.once('end', fail).once('close', () => { clearTimeout(timer) })
  }
  const write = socket._write.bind(socket)
  const writev = (socket._writev as NonNullable<Socket['_writev']>).bind(socket) // which sockets have
  socket._write = (chunk, encoding, done: Done) => { write(chunk, encoding, held(done)) }
  socket._writev = (chunks, done: Done) => { writev(chunks, held(done)) }
}
