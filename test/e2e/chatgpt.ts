import { createServer } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { issued } from '../fixtures/certificate.ts'
import { jwt } from '../fixtures/token.ts'
import { json, startRawUpstream, startUpstream } from '../fixtures/upstream.ts'

export const ACCOUNT = 'acct-1'

const account = { id: ACCOUNT, workspace_backend_origin: 'https://chatgpt.com', account_routing_override: 'NO_CONSTRAINT' }
const refused = { error: { message: 'Your refresh token has been invalidated', type: 'invalid_request_error', code: 'refresh_token_invalidated' } }

/** A name like `chatgpt.com:443` in the first line that a client sends to an HTTP proxy. */
const tunnelOf = (head: Buffer): string | undefined => /^CONNECT (\S+) /.exec(head.toString('latin1'))?.[1]

/**
 * A stand-in for what Codex asks ChatGPT itself, beside its model provider: a new access token, and at chatgpt.com,
 * which it reaches through HTTPS_PROXY, where the account's workspace is. Without an answer to that it takes no turn.
 * @param refresh the access token for the nth refresh, from 1; undefined refuses it
 */
export async function startChatgpt (t: Test, refresh: (n: number) => string | undefined = () => undefined) {
  let refreshes = 0
  let strangers = 0
  const tokens = await startUpstream(t, (_request, response) => {
    const token = refresh(++refreshes)
    if (token === undefined) json(response, 401, refused)
    else json(response, 200, { id_token: jwt({}, ACCOUNT), access_token: token, refresh_token: `made-up-${refreshes}` })
  })

  const { key, cert, ca } = await issued('chatgpt.com')
  const site = createServer((request, response) => {
    request.resume()
    if (request.url?.endsWith('/accounts/check') === true) json(response, 200, { accounts: [account] })
    else json(response, 404, {})
  })
  const proxy = await startRawUpstream(t, socket => {
    socket.once('data', (head: Buffer) => {
      if (tunnelOf(head) !== 'chatgpt.com:443') {
        strangers++
        socket.destroy()
        return
      }
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const secure = new TLSSocket(socket, { isServer: true, key, cert })
      secure.on('error', () => {})
      site.emit('connection', secure)
    })
  })
  return {
    /** For HTTPS_PROXY. */
    proxy: proxy.url,
    /** PEM of the CA to trust. */
    ca,
    /** Where tokens are refreshed. */
    tokens: tokens.url,
    get refreshes (): number { return refreshes },
    /** Connections meant for anybody else. */
    get strangers (): number { return strangers }
  }
}

export type Chatgpt = Awaited<ReturnType<typeof startChatgpt>>
