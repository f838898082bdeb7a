import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'

/**
 * A stand-in upstream at the other end of a link. It tells each request as a line of JSON, its id from the query and what
 * came of its body; answers after `wait` ms; streams an event each `beat` ms, for `beats` of them. At "reset" it resets all
 * its connections.
 */
const sockets = new Set<Socket>()
const tell = (what: object): void => { process.stdout.write(`${JSON.stringify(what)}\n`) }
const event = (type: string, more = ''): string => `event: ${type}\ndata: {"type":"${type}","sequence_number":0${more}}\n\n`

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://here')
  const [id, beat, beats, wait] = ['id', 'beat', 'beats', 'wait'].map(name => Number(searchParams.get(name) ?? 0)) as [number, number, number, number]
  tell({ id, method: request.method })
  let bytes = 0
  request.on('data', (chunk: Buffer) => { bytes += chunk.length })
  request.on('error', () => {})
  request.on('end', () => {
    if (beats === 0) return void setTimeout(() => { response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id, bytes })) }, wait)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event('response.created'))
    let n = 0
    const timer = setInterval(() => {
      if (++n === beats) response.end(event('response.completed', ',"response":{}'))
      else response.write(event('response.output_text.delta', `,"n":${n}`))
    }, beat)
    response.on('close', () => { clearInterval(timer) })
  })
})
server.keepAliveTimeout = 3_600_000
server.on('connection', (socket: Socket) => {
  sockets.add(socket)
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(socket))
})
new WebSocketServer({ server }).on('connection', (socket, { url }) => {
  tell({ id: Number(new URL(url ?? '', 'http://here').searchParams.get('id')), method: 'WebSocket' })
  socket.on('error', () => {})
  socket.on('message', data => { socket.send(data) })
})
server.listen(80, () => { tell({ ready: true }) })
createInterface(process.stdin).on('line', line => {
  if (line !== 'reset') return
  for (const socket of sockets) socket.resetAndDestroy()
  tell({ reset: true })
}).on('close', () => process.exit())
