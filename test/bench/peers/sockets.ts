import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Two sockets joined and nothing else: what Node needs at least to pass bytes on. */
const port = Number(new URL(process.env['UPSTREAM'] ?? '').port)
const join = (from: Socket, to: Socket): void => {
  from.setNoDelay(true).on('error', () => {}).on('close', () => to.destroy())
  from.on('data', chunk => { if (!to.write(chunk) && to.writableLength > 0) from.pause() }).on('drain', () => to.resume())
}
const server = createServer(client => {
  const upstream = connect(port, '127.0.0.1')
  join(client, upstream)
  join(upstream, client)
})
server.listen(0, '127.0.0.1', () => { console.log(`PORT ${(server.address() as AddressInfo).port}`) })
