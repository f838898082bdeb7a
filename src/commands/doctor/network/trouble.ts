import type { ForwardProxy } from '../../../config/network/proxy.ts'

/** Why an upstream can not be reached, in words, and what to do about it. `%` stands for its host and port, `%h` for the host, `%o` for the origin, `%t` for the time allowed, `%p` for the proxy and `%v` for what names that. */
const troubles: readonly (readonly [code: RegExp, words: string, mend: string])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'its name does not resolve', 'nslookup %h (where only a proxy gets out: export HTTPS_PROXY=http://HOST:PORT)'],
  [/^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'no connection within %t ms: a firewall drops the packets', 'open TCP to % in it, or export HTTPS_PROXY=http://HOST:PORT'],
  [/^(?:ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL)$/, 'this machine has no route to it', 'connect it to a network (where only a proxy gets out: export HTTPS_PROXY=http://HOST:PORT)'],
  [/^(?:EACCES|EPERM)$/, 'the rules of this machine do not allow it', 'allow % in its firewall, or export HTTPS_PROXY=http://HOST:PORT'],
  [/^ECONNREFUSED$/, 'the connection is refused', 'curl -v %o'],
  [/^TimeoutError$/, 'it takes the connection and then says nothing', 'curl -v %o'],
  [/^PROXY_UNREACHABLE$/, 'the proxy %p can not be reached, or hangs up', 'curl -v telnet://%p (and correct host and port in %v where that is another)'],
  [/^PROXY_TLS$/, 'there is no secure connection to the proxy %p: its certificate is signed by nobody this machine trusts, or it speaks no TLS', 'caFile with the CA of its certificate, or http:// for https:// in %v'],
  [/^PROXY_AUTHENTICATION$/, 'the proxy %p wants another user or password', 'correct user and password in %v'],
  [/^PROXY_REFUSED$/, 'the rules of the proxy %p do not allow it', 'have % allowed there, or export NO_PROXY=%h where no proxy is needed'],
  [/^PROXY_FAILED$/, 'the proxy %p could not connect to it', 'have somebody look at the proxy, or export NO_PROXY=%h where no proxy is needed'],
  [/^PROXY_PROTOCOL$/, 'the proxy %p speaks another protocol than %v says', 'correct what stands before :// in %v (http, https, socks5 or socks5h)'],
  [/^TLS_RESET$/, 'the connection is cut in the TLS handshake: a firewall may filter by name, or no TLS is spoken there', 'openssl s_client -connect %'],
  [/^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/, 'its certificate is not valid at the time this machine shows', 'date -u (and set the clock if that is wrong)'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name: a login page of the network, or a wrong address', 'log in to the network in a browser (who answers there: openssl s_client -connect %)'],
  [/^(?:UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|CERT_SIGNATURE)/, 'its certificate is signed by nobody this machine trusts: a proxy of your network intercepts TLS, or its login page answers', 'export NODE_EXTRA_CA_CERTS=/path/to/its-ca.pem (or codex-sidecar --use-system-ca where this machine trusts it; where there is a login page, log in)'],
  [/^ERR_SSL_(?:WRONG_VERSION|PACKET_LENGTH)/, 'no TLS is spoken there: a login page of the network, or a wrong port', 'log in to the network in a browser (who answers there: curl -v http://%)'],
  [/CERTIFICATE_REQUIRED|ALERT_(?:HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA)/, 'it wants to see a certificate of ours that it knows', 'cert and key of its route in the configuration']
]

/** What was asked for. */
export interface Knocked {
  readonly url: string
  /** ms that were allowed for the connection. */
  readonly patience: number
  readonly proxy: ForwardProxy | undefined
}

/** Names the trouble behind a failed request. */
export function troubleOf (error: Error, { url, patience, proxy }: Knocked): { words: string, mend: string } {
  const { code } = error as { code?: unknown }
  const key = typeof code === 'string' ? code : error.name
  const [, words, mend] = troubles.find(([pattern]) => pattern.test(key)) ?? [key, 'the connection broke', 'curl -v %o']
  const { host, hostname, origin } = new URL(url)
  const fill = (text: string): string => text
    .replaceAll('%h', hostname).replaceAll('%o', origin).replaceAll('%t', String(patience)).replaceAll('%p', String(proxy?.host)).replaceAll('%v', String(proxy?.source)).replaceAll('%', host)
  return { words: `${fill(words)} (${key})`, mend: fill(mend) }
}
