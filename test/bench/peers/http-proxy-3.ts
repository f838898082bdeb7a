import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** http-proxy-3 with a keep-alive agent; installed by whoever wants to compare. */
const { createProxyServer } = await import(process.env['HTTP_PROXY_3'] ?? '') as { createProxyServer: (options: object) => { web: (...args: unknown[]) => void, ws: (...args: unknown[]) => void } }
const { Agent } = await import('node:http')
const proxy = createProxyServer({ target: process.env['UPSTREAM'], agent: new Agent({ keepAlive: true, maxSockets: 512 }), ws: true })
const server = createServer((request, response) => { proxy.web(request, response) })
server.on('upgrade', (request, socket, head) => { proxy.ws(request, socket, head) })
server.listen(0, '127.0.0.1', () => { console.log(`PORT ${(server.address() as AddressInfo).port}`) })
