import type { AddressInfo } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'

/** Stock @fastify/http-proxy, no validation. */
const app = fastify()
await app.register(httpProxy, { upstream: process.env['UPSTREAM'] ?? '', prefix: '/v1', rewritePrefix: '/v1', websocket: true })
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`PORT ${(app.server.address() as AddressInfo).port}`)
