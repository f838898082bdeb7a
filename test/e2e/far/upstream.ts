import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

/** A stand-in upstream far away: streams of so many seconds, with an event a second or silent in between, and WebSockets that answer each message. */
const seconds = Number(process.argv[2])
const event = (type: string, more = ''): string => `event: ${type}\ndata: {"type":"${type}"${more}}\n\n`
const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event('response.created'))
  let n = 0
  const timer = setInterval(() => {
    n++
    if (n === seconds) {
      clearInterval(timer)
      response.end(event('response.completed', ',"response":{}'))
    } else if (request.url === '/v1/beating') response.write(event('response.output_text.delta', `,"n":${n}`))
  }, 1_000)
  response.on('close', () => { clearInterval(timer) })
})
new WebSocketServer({ server }).on('connection', socket => {
  socket.on('error', () => {})
  socket.on('message', data => { socket.send(data) })
})
server.listen(8000, '10.99.0.2', () => { process.stdout.write('ready\n') })
