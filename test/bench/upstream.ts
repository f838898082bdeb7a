import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { constants, createGzip } from 'node:zlib'
import { WebSocketServer } from 'ws'

/** The upstream of all peers: a small JSON, streams of events, uploads, downloads and a WebSocket echo. */
const small = JSON.stringify({ id: 'resp_1', object: 'response', status: 'completed', output: [] })
const block = Buffer.alloc(65_536, 'x')

/** Events on a path of a model's, at once or one by one; `gzip` compresses them, each to be read as it comes. */
function events (response: ServerResponse, query: URLSearchParams): void {
  const gzip = query.has('gzip') ? createGzip({ flush: constants.Z_SYNC_FLUSH }) : undefined
  response.writeHead(200, { 'content-type': 'text/event-stream', ...gzip && { 'content-encoding': 'gzip' } })
  response.flushHeaders()
  gzip?.pipe(response)
  const stream = gzip ?? response
  const end = (): void => { stream.end('event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n') }
  const every = Number(query.get('every'))
  let left = Number(query.get('count'))
  if (every === 0) {
    for (; left > 0; left--) stream.write(`event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hello ${left}"}\n\n`)
    end()
    return
  }
  const timer = setInterval(() => {
    if (left-- > 0) stream.write(`event: response.output_text.delta\ndata: {"type":"response.output_text.delta","at":${process.hrtime.bigint()}}\n\n`)
    else {
      clearInterval(timer)
      end()
    }
  }, every)
  response.on('close', () => { clearInterval(timer) })
}

function download (response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
  let left = bytes
  const fill = (): void => {
    while (left > 0) {
      left -= block.length
      if (!response.write(block)) return void response.once('drain', fill)
    }
    response.end()
  }
  fill()
}

const server = createServer((request: IncomingMessage, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname.includes('/events')) return events(response, searchParams)
  if (pathname.startsWith('/hang')) return
  if (pathname.endsWith('/download')) return download(response, Number(searchParams.get('bytes')))
  request.resume().on('end', () => {
    const dead = request.headers.authorization === 'Bearer dead'
    response.writeHead(dead ? 401 : 200, { 'content-type': 'application/json' })
    response.end(dead ? '{"error":{"code":"invalid_api_key","message":"no"}}' : small)
  })
})
server.keepAliveTimeout = 60_000
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', socket => {
  socket.on('message', (data, binary) => { socket.send(data as Buffer, { binary }) })
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => { console.log(`PORT ${(server.address() as AddressInfo).port}`) })
