import type { Config } from '../../config/config.ts'
import { pointsHere } from '../doctor/clients/base-url.ts'
import { filled } from '../../config/home.ts'
import type { Footprint } from './beside.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** What a client is given so that it comes here. */
export interface Pointing {
  /** Arguments before its own. */
  readonly args?: readonly string[]
  /** Variables instead of its own. */
  readonly env?: Env
  /** What it leaves in the client's folder, until the run's end. */
  readonly footprint?: Footprint
  /** Takes it away at the end. @returns what could not be done, for a person */
  readonly finish?: () => readonly string[]
  /** What of it goes past us, for a person. */
  readonly notes?: readonly string[]
}

/** How a client is pointed here for one run, with nothing of its own changed. */
export interface Plan {
  /** Our own variables for the upstreams that the client would have gone to: they stay where they are, behind us. */
  readonly upstreams: Env
  /** What goes past us, for a person. */
  readonly notes: readonly string[]
  /** @param origin where we listen, without a last slash */
  readonly point: (origin: string) => Pointing
}

/** What a client's plan is made of. */
export interface Wanted {
  readonly env: Env
  /** The client's own arguments. */
  readonly args: readonly string[]
  /** Our configuration, to know which base URLs lead here already. */
  readonly config: Config
}

/** Hosts that the default routes lead to. */
const official: ReadonlySet<string> = new Set(['chatgpt.com', 'api.openai.com', 'api.anthropic.com'])

/** Where a client would go by itself. */
export type Lead =
  /** To the companies' own hosts or to us: the same behind us, whatever it says. */
  | { readonly kind: 'usual' }
  /** To an upstream of its own. */
  | { readonly kind: 'own', readonly url: string }
  /** To one that can not be ours: it has a user, a password or a query. */
  | { readonly kind: 'unusable' }

/** Says where a base URL leads. What is set must not be overridden by our own upstream: it would get another one's key. */
export function leadOf (text: string | undefined, config: Config): Lead {
  const given = filled(text)
  if (given === undefined || pointsHere(given, config)) return { kind: 'usual' }
  if (!URL.canParse(given)) return { kind: 'unusable' }
  const url = new URL(given)
  if (official.has(url.hostname)) return { kind: 'usual' }
  const { protocol, username, password, search, hash } = url
  return /^https?:$/.test(protocol) && username + password + search + hash === '' ? { kind: 'own', url: url.href.replace(/\/+$/, '') } : { kind: 'unusable' }
}

/** The value behind the last flag of these names, in one word or two. */
export function valueOf (args: readonly string[], names: readonly string[]): string | undefined {
  for (let i = args.length - 1; i >= 0; i--) {
    const [name = '', ...value] = (args[i] as string).split('=')
    if (!names.includes(name)) continue
    return value.length > 0 ? value.join('=') : args[i + 1]
  }
  return undefined
}
