import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** Latencies in ms, sorted. */
export type Latencies = readonly number[]

export const percentile = (sorted: Latencies, p: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p / 100))] as number
export const median = (values: readonly number[]): number => percentile([...values].sort((a, b) => a - b), 50)

/** The bytes of a request. */
export function head (method: string, path: string, token: string, body = ''): Buffer {
  const length = method === 'GET' ? '' : `content-length: ${body.length}\r\ncontent-type: application/json\r\n`
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\nuser-agent: bench\r\n${length}\r\n${body}`)
}

const separator = Buffer.from('\r\n\r\n')

/** One answer with a declared length or chunked in one piece; it reads no more than the bench's upstream needs. */
function answer (socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    const done = (error?: Error): void => {
      socket.off('data', take).off('close', lost)
      if (error === undefined) resolve()
      else reject(error)
    }
    const lost = (): void => { done(new Error('closed before its answer')) }
    const take = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const end = bytes.indexOf(separator)
      if (end < 0) return
      const text = bytes.toString('latin1', 0, end)
      const [, length] = /content-length: (\d+)/i.exec(text) ?? []
      if (length === undefined ? bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n')) : bytes.length >= end + 4 + Number(length)) done()
    }
    socket.on('data', take).on('close', lost)
  })
}

/** Sends `count` requests over `connections` keep-alive connections, one at a time on each. */
export async function keepAlive (port: number, request: Buffer, { connections, count }: { connections: number, count: number }): Promise<Latencies> {
  const latencies: number[] = []
  let left = count
  await Promise.all(Array.from({ length: connections }, async () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    while (left-- > 0) {
      const began = performance.now()
      socket.write(request)
      await answer(socket)
      latencies.push(performance.now() - began)
    }
    socket.destroy()
  }))
  return latencies.sort((a, b) => a - b)
}

/** The same with a connection of its own for each request, as the Codex CLI does. */
export async function fresh (port: number, request: Buffer, { connections, count }: { connections: number, count: number }): Promise<Latencies> {
  const latencies: number[] = []
  let left = count
  await Promise.all(Array.from({ length: connections }, async () => {
    while (left-- > 0) {
      const began = performance.now()
      const socket = connect(port, '127.0.0.1').setNoDelay(true)
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write(request)
      await answer(socket)
      latencies.push(performance.now() - began)
      socket.destroy()
    }
  }))
  return latencies.sort((a, b) => a - b)
}
