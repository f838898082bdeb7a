/** Why an upstream can not be reached, in words, and what to do about it. `%` stands for its host and port, `%h` for the host, `%o` for the origin, `%t` for the time allowed. */
const troubles: readonly (readonly [code: RegExp, words: string, mend: string])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'its name does not resolve', 'nslookup %h (where only a proxy gets out: export HTTPS_PROXY=http://HOST:PORT)'],
  [/^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'no connection within %t ms: a firewall drops the packets', 'open TCP to % in it, or export HTTPS_PROXY=http://HOST:PORT'],
  [/^ECONNREFUSED$/, 'the connection is refused', 'curl -v %o'],
  [/^TimeoutError$/, 'it takes the connection and then says nothing', 'curl -v %o'],
  [/^(?:UND_ERR_ABORTED|UND_ERR_PRX)/, 'the proxy does not let it through', 'check user and password in HTTPS_PROXY'],
  [/^TLS_RESET$/, 'the connection is cut in the TLS handshake: a firewall may filter by name, or no TLS is spoken there', 'openssl s_client -connect %'],
  [/^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/, 'its certificate is not valid at the time this machine shows', 'date -u (and set the clock if that is wrong)'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name: a login page of the network, or a wrong address', 'openssl s_client -connect %'],
  [/^(?:UNABLE_TO|DEPTH_ZERO|SELF_SIGNED)/, 'its certificate is signed by nobody this machine trusts: a proxy of your network intercepts TLS', 'export NODE_EXTRA_CA_CERTS=/path/to/its-ca.pem']
]

/**
 * Names the trouble behind a failed request.
 * @param patience ms that were allowed for the connection
 */
export function troubleOf (error: Error, url: string, patience: number): { words: string, mend: string } {
  const { code } = error as { code?: unknown }
  const key = typeof code === 'string' ? code : error.name
  const [, words, mend] = troubles.find(([pattern]) => pattern.test(key)) ?? [key, 'the connection broke', 'curl -v %o']
  const { host, hostname, origin } = new URL(url)
  const fill = (text: string): string => text.replace('%h', hostname).replace('%o', origin).replace('%t', String(patience)).replace('%', host)
  return { words: `${fill(words)} (${key})`, mend: fill(mend) }
}
