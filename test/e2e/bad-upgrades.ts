import { randomBytes, randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { expiredJwt } from '../fixtures/token.ts'
import { DEAD } from './provider.ts'

// A process of its own, so that its work does not delay the clients that are watched: sends WebSocket handshakes with
// bad tokens at a steady rate and prints what came back. Arguments: port, handshakes a second, seconds.

const [port = 0, rate = 0, seconds = 0] = process.argv.slice(2).map(Number)

/** Bad in every way: for all to see, known to be dead, none at all, and each a new one that only the upstream can judge. */
const fields = [
  () => `Authorization: Bearer ${expired}\r\n`,
  () => `Authorization: Bearer ${DEAD}\r\n`,
  () => '',
  () => `Authorization: Bearer ${randomUUID()}\r\n`
]
const expired = expiredJwt()
/** Statuses of the answers, and codes of the errors. */
const outcomes: Record<string, number> = {}
const count = (outcome: string): void => { outcomes[outcome] = (outcomes[outcome] ?? 0) + 1 }
let sent = 0
let open = 0
/** ms until the slowest answer and the slowest end of a connection. */
const slowest = { answer: 0, end: 0 }

function send (): void {
  const field = fields[sent++ % fields.length]?.() ?? ''
  const started = performance.now()
  const socket = connect(port, '127.0.0.1')
  open++
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    if (answer === '') slowest.answer = Math.max(slowest.answer, performance.now() - started)
    answer += text
  })
  socket.on('error', ({ code }: NodeJS.ErrnoException) => { count(code ?? 'error') })
  socket.on('close', () => {
    open--
    slowest.end = Math.max(slowest.end, performance.now() - started)
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]
    if (status !== undefined) count(status)
    if (open === 0 && sent >= rate * seconds) finish()
  })
  socket.write(`GET /v1/responses HTTP/1.1\r\nHost: localhost\r\n${field}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`)
}

const started = performance.now()
/** Seconds until all were sent. */
let spent = 0
const timer = setInterval(() => {
  const due = Math.min(rate * seconds, (performance.now() - started) / 1000 * rate)
  while (sent < due) send()
  if (sent < rate * seconds) return
  clearInterval(timer)
  spent = (performance.now() - started) / 1000
}, 5)

function finish (): void {
  process.stdout.write(JSON.stringify({ sent, seconds: spent, slowest, outcomes }))
}
