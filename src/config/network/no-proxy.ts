import { BlockList, isIP } from 'node:net'

/** A host, an address, a network or all, and perhaps a port. An IPv6 address with a port has brackets. */
const form = /^(?:\[([^\]]*)\](\/\d+)?|([^:]*|[^:]*:[^:]*:[^\]]*))(?::(\d+))?$/

const standard: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/** Whether a host is one of those that an entry means. */
function hostsOf (host: string): (hostname: string) => boolean {
  if (host === '*') return () => true
  const [address = '', size] = host.split('/')
  const kind = isIP(address)
  if (kind === 0) {
    const name = host.replace(/^\*?\./, '').replace(/\.$/, '').toLowerCase()
    return hostname => name !== '' && (hostname === name || hostname.endsWith(`.${name}`))
  }
  const family = kind === 4 ? 'ipv4' : 'ipv6'
  const network = new BlockList()
  try {
    if (size === undefined) network.addAddress(address, family)
    else network.addSubnet(address, Number(size), family)
  } catch { /* a network of /33 has nobody in it */ }
  return hostname => isIP(hostname) === kind && network.check(hostname, family)
}

/**
 * Which URLs are reached without a proxy, by the list that NO_PROXY is: names with all that is beneath them, with or
 * without a dot before them; addresses; networks as 10.0.0.0/8; all of these with a port; `*` for all. Commas or blanks
 * stand between them. Names are not resolved for it: curl and Go do not either.
 */
export function createExemptions (list: string): (url: URL) => boolean {
  const entries = list.split(/[\s,]+/).map(entry => form.exec(entry)).filter(match => match !== null).map(([, v6, size = '', name = '', port]) => {
    const includes = hostsOf(v6 === undefined ? name : `${v6}${size}`)
    return { includes, port }
  })
  return ({ hostname, port, protocol }) => {
    const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
    const used = port === '' ? standard[protocol] : port
    return entries.some(({ includes, port }) => (port === undefined || port === used) && includes(bare))
  }
}
