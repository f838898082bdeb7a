import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { buildApp } from '../../../src/app/app.ts'
import { createLog } from '../../../src/telemetry/log.ts'
import { configFor } from '../../fixtures/sidecar.ts'

/** The sidecar and its clients, before an upstream far away. Tells what they saw as lines of JSON; at "gone" sends a message into the void. */
const app = buildApp({ config: configFor({ upstream: 'http://10.99.0.2:8000' }), log: createLog({ level: 'silent' }) })
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const headers = { authorization: 'Bearer good' }
const tell = (what: object): void => { process.stdout.write(`${JSON.stringify(what)}\n`) }

const session = new WebSocket(`${url.replace('http', 'ws')}/v1/responses`, { headers })
await once(session, 'open')
session.send('hello')
await once(session, 'message')

const streams = ['beating', 'silent'].map(async name => {
  const began = performance.now()
  const answer = await fetch(`${url}/v1/${name}`, { method: 'POST', headers, body: '{}' })
  const text = await answer.text().catch(String)
  tell({ name, events: text.split('\n\n').length - 1, whole: text.includes('response.completed') && !text.includes('"error"'), ms: performance.now() - began, end: text.slice(-200) })
})
tell({ name: 'begun' })
void Promise.all(streams).then(() => { tell({ name: 'streamed' }) })
for await (const line of createInterface(process.stdin)) {
  if (line !== 'gone') break
  const began = performance.now()
  session.send('are you there?')
  const [code, reason] = await once(session, 'close') as [number, Buffer]
  tell({ name: 'gone', code, reason: reason.toString(), ms: performance.now() - began })
}
await app.close()
process.exit()
