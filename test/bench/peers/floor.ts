import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, type Dispatcher } from 'undici'

/** The floor on Node: bare http before undici.dispatch, headers raw, nothing checked. */
const origin = process.env['UPSTREAM'] ?? ''
const agent = new Agent({ connections: 512, pipelining: 1 })
const server = createServer((request, response) => {
  const { headers: { host: _host, connection: _connection, ...headers } } = request
  agent.dispatch({ origin, path: request.url ?? '/', method: request.method as Dispatcher.HttpMethod, headers, body: request.method === 'GET' ? null : request }, {
    onRequestStart () {},
    onResponseStart (_controller, status, parsed) {
      const { connection: _c, 'transfer-encoding': _t, 'keep-alive': _k, ...kept } = parsed
      response.writeHead(status, kept)
    },
    onResponseData (controller, chunk) {
      if (response.write(chunk)) return
      controller.pause()
      response.once('drain', () => { controller.resume() })
    },
    onResponseEnd () { response.end() },
    onResponseError () { response.destroy() }
  })
})
server.listen(0, '127.0.0.1', () => { console.log(`PORT ${(server.address() as AddressInfo).port}`) })
