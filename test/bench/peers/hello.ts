import type { AddressInfo } from 'node:net'
import fastify from 'fastify'

/** A fastify that answers by itself: what a local answer costs at least. */
const app = fastify()
app.get('/v1/*', () => ({ hello: 'world' }))
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`PORT ${(app.server.address() as AddressInfo).port}`)
