import type { Described } from './json-schema.ts'

/**
 * Every option, declared once: type, default, unit, words. `flag` and `env` name the ways to set it besides the
 * configuration file. The table in config/README.md is made of this.
 */

const ms = (description: string, value: number) =>
  ({ type: 'integer', minimum: 1, maximum: 2 ** 31 - 1, default: value, unit: 'ms', description }) as const
const count = (description: string, value: number, minimum = 1) =>
  ({ type: 'integer', minimum, default: value, description }) as const
const bytes = (description: string, value: number) =>
  ({ type: 'integer', minimum: 0, default: value, unit: 'bytes', description }) as const
const upstream = (name: string, env: string, value: string) =>
  ({ type: 'string', format: 'upstream', default: value, env, description: `Upstream of the default ${name} route.` }) as const
const group = <const T>(properties: T) =>
  ({ type: 'object', properties, additionalProperties: false, default: {} }) as const

const probeModes = ['first-use', 'background', 'off'] as const
/** RFC 7518 section 3.1 and RFC 8037, without those that share a secret: no key set could hold it. */
const signatureAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const

/** What the known upstreams look at besides the token. */
const shapeFields = ['openai-organization', 'openai-project', 'chatgpt-account-id', 'anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access'] as const

const route = {
  type: 'object',
  properties: {
    prefix: { type: 'string', pattern: '^/(?:[A-Za-z0-9_.~-]+/?)*$', description: 'Path prefix here.' },
    upstream: { type: 'string', format: 'upstream', description: 'URL that takes the place of the prefix.' },
    dialect: { type: 'string', enum: ['openai', 'anthropic'], default: 'openai', description: 'How a broken stream is explained.' },
    marks: {
      type: 'array', items: { type: 'string', format: 'mark' }, minItems: 1, uniqueItems: true,
      description: 'Header fields that a request must have to go here, by name alone or with the beginning of their value ("authorization: Bearer sk-ant-"). Of the routes beneath which a path lies the one with the longest prefix wins, then the one with the most marks.'
    },
    credential: {
      type: 'array', items: { type: 'string', format: 'field' }, uniqueItems: true,
      default: ['authorization'], description: 'Header fields that carry the credential, most preferred first; sec-websocket-protocol for the key that browsers put there. Empty where none is needed.'
    },
    foreignPrefixes: {
      type: 'object', additionalProperties: { type: 'string' },
      default: {}, description: 'Token prefixes that certainly do not work here, each with the route where they belong. Such a token is refused, or left out where the request has another one beside it.'
    },
    withheld: {
      type: 'array', items: { type: 'string', format: 'field' }, uniqueItems: true,
      default: [], description: 'Header fields that never go there, such as those in which other companies take their keys.'
    },
    shape: {
      type: 'array', items: { type: 'string', pattern: '^[a-z0-9-]+$' }, uniqueItems: true, default: shapeFields,
      description: 'Fields on which the upstream’s judgement may depend besides the credential, lower-case: what it says of one request counts only for others that have the same in them.'
    },
    unprobed: {
      type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true, default: ['ek_', 'sk-admin-', 'sk-ant-oat'],
      description: 'Beginnings of tokens that probePath may not know although they are good, so that they are not asked about.'
    },
    allowedHosts: {
      type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true,
      description: 'Host names besides loopback and addresses on which the route answers. Any where it is not set: a web page that makes its own name lead here (DNS rebinding) has no credential. A route that needs none should set it.'
    },
    heartbeat: { type: 'integer', minimum: 100, maximum: 2 ** 31 - 1, unit: 'ms', description: 'Silence in a model’s event stream until its clients get a sign of life from us. Without it nothing is put in.' },
    proxy: { type: 'string', minLength: 1, format: 'proxy', description: 'Proxy before this upstream, instead of what the environment says: an http, https, socks5 or socks5h URL with user and password where it wants them, host:port for http, or none.' },
    cert: { type: 'string', minLength: 1, description: 'PEM file of a certificate to show to this upstream, for a company’s gateway that asks for one.' },
    key: { type: 'string', minLength: 1, description: 'PEM file of its key.' },
    probe: { type: 'string', enum: probeModes, description: 'Instead of the option probe for this route.' },
    probePath: {
      type: 'string', pattern: '^/', description: 'Path at the upstream that answers a GET with 2xx to every good token; {version} in it becomes the client’s version. Without it the route is not probed.'
    },
    jwks: {
      type: 'object',
      properties: {
        source: { type: 'string', minLength: 1, format: 'key-set', description: 'URL or file of the JSON Web Key Set.' },
        algorithms: { type: 'array', items: { type: 'string', enum: signatureAlgorithms }, minItems: 1, uniqueItems: true, default: ['RS256'], description: 'Algorithms that the issuer signs with.' }
      },
      required: ['source'], additionalProperties: false, description: 'Keys that sign this route’s JWTs. Without them signatures are not checked.'
    }
  },
  required: ['prefix', 'upstream'], additionalProperties: false
} as const

/** What is declared of a route's options. */
export const routeProperties = route.properties

export const optionsSchema = group({
  host: { type: 'string', minLength: 1, default: 'localhost', flag: 'host', env: 'CODEX_SIDECAR_HOST', description: 'Address to listen on; localhost stands for both loopbacks, 127.0.0.1 and ::1. Beyond loopback everyone who reaches it can use it.' },
  port: { type: 'integer', minimum: 0, maximum: 65535, default: 7257, flag: 'port', env: 'CODEX_SIDECAR_PORT', description: 'Port to listen on; 0 takes a free one.' },
  logLevel: { type: 'string', enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], default: 'info', flag: 'log-level', env: 'CODEX_SIDECAR_LOG_LEVEL', description: 'Least level that is logged.' },
  serverInfo: { type: 'string', minLength: 1, flag: 'server-info', env: 'CODEX_SIDECAR_SERVER_INFO', description: 'File that gets {"pid","port","url"} once it listens.' },
  chatgptUpstream: upstream('/backend-api/', 'CODEX_SIDECAR_CHATGPT_UPSTREAM', 'https://chatgpt.com/backend-api/'),
  openaiUpstream: upstream('/v1/', 'CODEX_SIDECAR_OPENAI_UPSTREAM', 'https://api.openai.com/v1/'),
  anthropicUpstream: upstream('/v1/messages and /v1/ with anthropic-version', 'CODEX_SIDECAR_ANTHROPIC_UPSTREAM', 'https://api.anthropic.com/v1/'),
  probe: { type: 'string', enum: probeModes, default: 'first-use', env: 'CODEX_SIDECAR_PROBE', description: 'When the upstream is asked about a new token: before its first request, beside it, or never.' },
  routes: { type: 'array', items: route, minItems: 1, description: 'Routes instead of the default ones.' },
  allowedHosts: { type: 'array', items: { type: 'string', minLength: 1 }, default: [], description: 'Host names besides loopback on which our own paths answer.' },
  caFile: { type: 'string', minLength: 1, description: 'PEM file of further CAs to trust at the upstreams.' },
  useSystemCa: { type: 'boolean', default: false, flag: 'use-system-ca', env: 'CODEX_SIDECAR_USE_SYSTEM_CA', description: 'Whether to trust at the upstreams what the system trusts too. Needs Node 22.15, 23.10 or later.' },
  clientLogins: {
    type: 'string', enum: ['off', 'status', 'answers'], default: 'status', env: 'CODEX_SIDECAR_CLIENT_LOGINS',
    description: 'Whether the files are read in which Codex, OpenClaw and Claude Code keep the logins of this user, to find a newer one of an account whose login is refused: status says so on the status page, answers in the 401s too. They are only read, when somebody asks or is refused, and nothing of them is kept but digests.'
  },
  traces: { type: 'string', format: 'upstream', env: 'CODEX_SIDECAR_TRACES', description: 'URL of an OpenTelemetry collector that gets a span for each request (OTLP over HTTP). Needs packages of its own, see below.' },
  lanes: group({
    verified: count('Requests at once on a route with tokens known to be good; a fair share for each of them.', 512),
    unverified: count('Requests at once on a route with tokens that are not known to be good; a fair share for each of them.', 64)
  }),
  times: group({
    requestHead: ms('Wait for a request’s own headers.', 60_000),
    connect: ms('Connecting to the upstream, TLS included.', 10_000),
    place: ms('Wait for a place in a lane that is full.', 10_000),
    streamHeaders: ms('Wait for the upstream’s answer to a request that accepts an event stream.', 300_000),
    headers: ms('Wait for the upstream’s answer to any other request.', 600_000),
    idleUpload: ms('Silence of a client within its upload, or of an upstream that takes nothing of it; time for the next 64 KB of an upload that nobody wants any more.', 120_000),
    idleDownload: ms('Silence of a client that takes nothing of its answer.', 120_000),
    idleStream: ms('Silence within an answer of the upstream.', 900_000),
    errorBody: ms('Silence within an upstream error answer until it is answered for; of others than 401 five times as long. What keeps coming goes on as it comes.', 3_000),
    handshake: ms('Wait for the upstream’s answer to a WebSocket handshake.', 15_000),
    ping: ms('Silence after a client’s WebSocket message until the upstream is asked for a sign of life; it ends when there is none in one and a half times as long again.', 10_000),
    drain: { ...ms('Grace for running requests on shutdown.', 30_000), env: 'CODEX_SIDECAR_DRAIN' },
    active: ms('How long a good verdict holds; never past the token’s own end.', 600_000),
    inactive: ms('How long the upstream’s rejection holds; doubles while it is confirmed.', 15_000),
    inactiveMax: ms('Longest time a rejection holds without being asked again.', 120_000),
    probe: ms('Wait for the upstream’s answer about a token.', 3_000)
  }),
  limits: group({
    headerBytes: { type: 'integer', minimum: 8192, maximum: 1 << 20, default: 131_072, unit: 'bytes', description: 'Size of a request’s headers.' },
    connections: count('Client connections at once.', 8_192),
    tunnels: count('WebSockets at once.', 512),
    verdicts: count('Verdicts kept, good ones and others each.', 10_000),
    waiting: count('Requests that wait at once until the upstream has answered about their token; more are forwarded at once.', 10_000, 0),
    replayBytes: bytes('Body kept for one replay on a stale upstream socket.', 1_048_576),
    readOutBytes: bytes('Upload read on after the upstream has failed, so that the client’s connection lives.', 268_435_456),
    errorBodyBytes: bytes('Upstream error body that is read for what it says of the token; sixteen times as much is held back until it is whole, 256 times by all at once.', 65_536)
  })
})

export type Options = Described<typeof optionsSchema>
/** One route, its prefix without a trailing slash. Its proxy can have a password and lives elsewhere. */
export type Route = Readonly<Omit<Described<typeof route>, 'proxy'>>
