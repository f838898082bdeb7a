import { isIPv4 } from 'node:net'

/** A browser takes nearly anything for a name beneath localhost (`$(id).localhost`), and we repeat it in lines for a shell. */
const loopback = /^(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i

/** A Host field's name without its port. */
export const hostName = (host: string): string => host.replace(/:\d*$/, '')

/** Whether it is a name of this machine that no name server can give to a web page. */
export const isLoopback = (name: string): boolean => loopback.test(name)

/** Whether it is an address: the page of a name that was made to lead here has that name, never an address, in its Host. */
export const isAddress = (name: string): boolean => isIPv4(name) || name.startsWith('[')
