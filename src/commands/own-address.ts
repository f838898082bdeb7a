import type { Config } from '../config/config.ts'

/** Hosts that stand for 127.0.0.1 among others. */
const everywhere = /^(?:0\.0\.0\.0|::|\[::\]|localhost)$/
const thisMachine = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0|host\.(?:docker|containers)\.internal)$/

/** Where clients on this machine reach the listener, without a last slash. */
export function ownOrigin ({ host, port }: Config): string {
  const name = everywhere.test(host) ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

/** Whether an address names this machine, or this program by a name that its configuration knows. */
export const isOwnHost = (name: string, { host, allowedHosts }: Config): boolean =>
  thisMachine.test(name) || name === host || allowedHosts.includes(name)

/** The port that a URL names or implies. */
export const portOf = ({ port, protocol }: URL): number => port !== '' ? Number(port) : protocol === 'https:' ? 443 : 80

/** Whether a URL leads to the listener. */
export const leadsHere = (url: URL, config: Config): boolean => isOwnHost(url.hostname, config) && portOf(url) === config.port

/** The port of this machine that a text leads to, where it is another one than the listener's. */
export function otherPort (text: string, config: Config): number | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  return isOwnHost(url.hostname, config) && !leadsHere(url, config) ? portOf(url) : undefined
}
