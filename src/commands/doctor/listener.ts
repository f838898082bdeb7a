import { Agent, request } from 'undici'
import type { Config } from '../../config/config.ts'
import { jsonObject, tableOf } from '../../wire/json.ts'
import { ownOrigin } from '../own-address.ts'
import { subject, type Finding } from './finding.ts'

const loopback = /^(?:127\.|::1$|localhost$)/

/** Every answer in our own name says so (RFC 9209). */
const ours = (header: string | string[] | undefined): boolean => String(header).startsWith('codex-sidecar')

/** The paths of a status, where it is one. */
const routesIn = (text: string): readonly string[] | undefined => {
  const { service, routes } = jsonObject(text) ?? {}
  return service === 'codex-sidecar' && Array.isArray(routes) ? routes.map(route => String(tableOf(route)['path'])) : undefined
}

/** Asks whoever listens on our address who it is, by a name on which our own paths always answer: what is no refusal is in nobody's way. */
async function ask (origin: string, patience: number) {
  const dispatcher = new Agent({ connect: { timeout: patience } })
  const get = async (path: string) => {
    const { statusCode: status, headers, body } = await request(`${origin}${path}`, { dispatcher, headers: { host: '127.0.0.1' }, headersTimeout: patience, bodyTimeout: patience })
    return { status, headers, text: await body.text() }
  }
  try {
    const { headers, text } = await get('/status')
    const routes = routesIn(text)
    return { isOurs: routes !== undefined || ours(headers['proxy-status']), routes, draining: (await get('/readyz')).status === 503 }
  } finally {
    await dispatcher.destroy()
  }
}

/** Clients that are pointed at the other loopback, where it may well be that nobody listens. */
async function otherLoopback (origin: string, origins: readonly string[], { times }: Config): Promise<Finding[]> {
  const six = origins.find(other => other !== origin && new URL(other).hostname === '[::1]')
  if (six === undefined) return []
  const answers = await ask(six, times.connect).then(({ isOurs }) => isOurs, () => false)
  return answers
    ? []
    : [subject('listener.loopback', six).problem('a base URL points here, and codex-sidecar does not listen on this address: its client gets no answer', `the same base URL with ${origin}`)]
}

/**
 * Looks at the address: is it free, ours, another sidecar's or something else's?
 * @param origins those of the base URLs that lead here: where nobody listens, none of their clients works
 */
export async function listenerFindings (config: Config, origins: readonly string[]): Promise<Finding[]> {
  const origin = ownOrigin(config)
  const { length: pointed } = origins
  const look = subject('listener', origin)
  if (config.port === 0) return [look.note('port 0 is another one after each start, so no client can be pointed at it', 'codex-sidecar --port 7257')]
  const open = loopback.test(config.host) ? [] : [subject('listener.host', `host ${config.host}`).warning('everyone who reaches this address can send requests through it', 'codex-sidecar --host 127.0.0.1')]
  const other = `codex-sidecar --port ${config.port + 1}`
  const taken = (what: string): Finding => look.problem(`${what} has this port; lsof -nP -iTCP:${config.port} -sTCP:LISTEN tells its name`, other)
  try {
    const { isOurs, routes, draining } = await ask(origin, config.times.connect)
    if (!isOurs) return [taken('another program'), ...open]
    const missing = config.routes.filter(({ prefix }) => routes?.some(path => path.startsWith(`${prefix}/`)) === false)
    if (missing.length > 0) return [look.problem(`another codex-sidecar answers here, without the route ${missing.map(({ prefix }) => `${prefix}/`).join(', ')} of this configuration`, other), ...open]
    return [draining ? look.warning('codex-sidecar answers but is shutting down', 'codex-sidecar') : look.ok('codex-sidecar answers and takes requests'), ...open, ...await otherLoopback(origin, origins, config)]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const idle = pointed === 0 ? look.note('is free: codex-sidecar does not run', 'codex-sidecar') : look.problem(`codex-sidecar does not run, and ${pointed === 1 ? 'a base URL points' : `${pointed} base URLs point`} here: their clients get no answer`, 'codex-sidecar')
    return [code === 'ECONNREFUSED' ? idle : taken('a program that does not speak HTTP'), ...open]
  }
}
