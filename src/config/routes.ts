import { routeProperties, type Options, type Route } from './options.ts'

/** Paths that are answered here. */
const ownPaths = /^\/(?:livez|healthz|readyz|metrics|status)(?:\/|$)/

/** Who certainly takes no key of Anthropic's. */
const OPENAI = 'https://api.openai.com'

/** A mark's field, and how its value must begin where the mark says so. */
function partsOf (mark: string): readonly [field: string, value: string] {
  const [field = '', value = ''] = mark.split(/:\s*(.*)/s)
  return [field, value]
}

/** The field that a mark looks for, lower-case. */
export const fieldOf = (mark: string): string => partsOf(mark)[0].toLowerCase()

/** A mark's value, or part of one, as marks are compared: neither case nor the number of blanks tells a scheme from itself. */
const plain = (text: string): string => text.replace(/\s+/g, ' ').toLowerCase()

/** Whether one of a field's values is what a mark looks for. */
export const carries = (mark: string, values: readonly string[]): boolean => {
  const beginning = plain(partsOf(mark)[1])
  return values.some(value => plain(value.slice(0, beginning.length + 8)).startsWith(beginning))
}

/** What a route is called in keys, metrics and logs: its prefix and its marks, without a blank. */
export const nameOf = ({ prefix, marks }: Route): string =>
  marks === undefined ? prefix : [prefix, ...marks.map(mark => mark.replace(/:\s*/, '=').replace(/\s+/g, '_'))].join('+')

/** A route's name for people. */
export function shownName (name: string): string {
  const [prefix = '', ...marks] = name.split('+')
  return marks.length === 0 ? `${prefix}/` : `${prefix}/ with ${marks.join(', ')}`
}

/** The routes in words, each once. */
export const listed = (routes: readonly Route[]): string => routes.map(route => shownName(nameOf(route))).join(', ')

/** Header fields that decide where a request goes and as whom: what was judged by them must arrive with them. */
export const judgedFields = ({ credential, marks = [], shape }: Route): readonly string[] => [...new Set([...credential, ...marks.map(fieldOf), ...shape])]

/** How many marks a route has. */
const marksOf = ({ marks = [] }: Route): number => marks.length

/** Whether a prefix lies on the way to a path or to another prefix. */
const beneath = (path: string, prefix: string): boolean => path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/')

/** The routes that a request beneath a prefix may go to, the most specific first: the longest prefix, then the most marks. */
export const routesBeneath = <R extends { readonly route: Route }>(prefix: string, among: readonly R[]): readonly R[] =>
  among.filter(({ route }) => beneath(prefix, route.prefix))
    .sort(({ route: a }, { route: b }) => b.prefix.length - a.prefix.length || marksOf(b) - marksOf(a))

/** Whether the upstream would get a route's prefix twice, from a base URL that ends with what its client adds by itself. */
export const isDoubled = (path: string, { prefix, upstream }: Route): boolean =>
  prefix !== '' && beneath(path, prefix + prefix) && new URL(upstream).pathname.replace(/\/$/, '').endsWith(prefix)

/** Hosts of the companies whose kinds of credentials are known. */
const official: ReadonlySet<string> = new Set(['chatgpt.com', 'api.openai.com', 'api.anthropic.com'])

/** Beginnings of tokens that certainly do not work at the official origins behind these prefixes, each with the route where they belong. */
export const foreignKinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/backend-api': { 'sk-ant-': '/v1/messages', 'sk-': '/v1/' },
  '/v1/messages': { 'sk-proj-': '/v1/', 'sk-svcacct-': '/v1/' },
  '/v1': { 'sk-ant-': '/v1/messages' }
}

/** Only before its own company's origin is a key of another one certainly wrong, and would also be told to the wrong one. */
const isOfficial = (upstream: string): boolean => official.has(new URL(upstream).hostname)

/** Where the companies whose keys clients have take them. */
export const credentialFields: readonly string[] = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key']

/** What is told to no company but its own: kinds of keys, and fields in which it takes none. */
const foreignTo = (upstream: string, prefix: string, credential: readonly string[]): Pick<Route, 'foreignPrefixes' | 'withheld'> => isOfficial(upstream)
  ? { foreignPrefixes: { ...foreignKinds[prefix] }, withheld: credentialFields.filter(field => !credential.includes(field)) }
  : { foreignPrefixes: {}, withheld: [] }

/** The default routes (design.md section 2). */
export function defaultRoutes ({ chatgptUpstream, openaiUpstream, anthropicUpstream }: Options): NonNullable<Options['routes']> {
  const path = (name: string, upstream: string): string => new URL(name, upstream).pathname
  const { shape: { default: shape }, unprobed: { default: unasked } } = routeProperties
  const common = { shape: [...shape], unprobed: [...unasked] }
  const credential = ['x-api-key', 'authorization']
  const others = {
    ...common, prefix: '/v1', upstream: anthropicUpstream, dialect: 'anthropic', credential, ...foreignTo(anthropicUpstream, '/v1/messages', credential),
    probePath: path('models', anthropicUpstream)
  } as const
  const { probePath, ...unprobed } = others // a probe would lack the version that such clients do not know of
  return [
    {
      prefix: '/backend-api', upstream: chatgptUpstream, dialect: 'openai', credential: ['authorization'],
      ...common, ...foreignTo(chatgptUpstream, '/backend-api', ['authorization']), probePath: `${path('codex/models', chatgptUpstream)}?client_version={version}`
    },
    { ...others, prefix: '/v1/messages', upstream: new URL('messages', anthropicUpstream).href },
    {
      prefix: '/v1', upstream: openaiUpstream, dialect: 'openai', credential: ['authorization', 'sec-websocket-protocol'],
      ...common, ...foreignTo(openaiUpstream, '/v1', ['authorization']), probePath: path('models', openaiUpstream)
    },
    { ...others, marks: ['anthropic-version'] },
    // Anthropic's OpenAI-compatible paths: at OpenAI such a key works for nothing, and it is none of OpenAI's business.
    ...new URL(openaiUpstream).origin === OPENAI ? [{ ...unprobed, marks: ['authorization: Bearer sk-ant-'] }] : []
  ]
}

/**
 * Prefixes without their last slash, upstreams of default routes with one, names of fields in lower case; two routes can
 * not share a prefix and all marks.
 */
export function settleRoutes (options: Options, mistakes: string[]): Route[] {
  const slashed = (url: string): string => url.endsWith('/') ? url : `${url}/`
  const { chatgptUpstream, openaiUpstream, anthropicUpstream } = options
  const routes = options.routes ?? defaultRoutes({
    ...options,
    chatgptUpstream: slashed(chatgptUpstream),
    openaiUpstream: slashed(openaiUpstream),
    anthropicUpstream: slashed(anthropicUpstream)
  })
  const lower = (fields: readonly string[]): string[] => [...new Set(fields.map(field => field.toLowerCase()))]
  const settled = routes.map(({ prefix, marks, credential, withheld, proxy: _elsewhere, ...route }): Route => ({
    ...route,
    prefix: prefix.replace(/\/+$/, ''),
    credential: lower(credential),
    withheld: lower(withheld),
    ...marks === undefined ? undefined : { marks: marks.map(mark => mark.replace(/^[^:]+/, field => field.toLowerCase())).sort() }
  }))
  settled.forEach((route, i) => {
    const { prefix } = route
    if (settled.findIndex(other => nameOf(other) === nameOf(route)) < i) mistakes.push(`routes.${i}.prefix: is ${JSON.stringify(prefix)} a second time, allowed: each prefix once with the same marks`)
    if (ownPaths.test(prefix)) mistakes.push(`routes.${i}.prefix: is ${JSON.stringify(prefix)}, allowed: any path but codex-sidecar’s own`)
  })
  return settled
}
