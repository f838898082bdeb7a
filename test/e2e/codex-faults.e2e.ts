import t from 'tap'
import { jwt } from '../fixtures/token.ts'
import { bothWays } from './both-ways.ts'
import { startChatgpt } from './chatgpt.ts'
import { installCodex, runCodex, type CodexOptions } from './codex-binary.ts'
import { GOOD, type ProviderOptions } from './provider.ts'
import { note } from './results.ts'

// The Codex CLI with good credentials of each kind before an upstream in trouble.

t.setTimeout(3_600_000) // the first run downloads Codex

/** Milliseconds after which a person gives up. */
const LIMIT = 60_000

const good = jwt({ jti: 'good' })

interface Login {
  base: string
  sign: (t: Parameters<typeof startChatgpt>[0]) => Promise<CodexOptions['as']>
  options: ProviderOptions
}

const logins: Record<string, Login> = {
  'own provider, HTTP': { base: '/v1', sign: async () => ({ key: GOOD }), options: {} },
  'API key, WebSocket': { base: '/v1', sign: async () => ({ apiKey: GOOD }), options: {} },
  'ChatGPT login, WebSocket': {
    base: '/backend-api/codex',
    sign: async t => ({ accessToken: good, chatgpt: await startChatgpt(t) }),
    options: { takes: token => token === good }
  }
}

const troubles: Record<string, ProviderOptions> = {
  'upstream resets each connection': { fault: 'reset' },
  'upstream never answers': { fault: 'hang' },
  'upstream cannot be reached': { fault: 'unreachable' },
  'upstream refuses upgrades with 503': { upgrade: () => ({ status: 503, body: { error: { message: 'no WebSockets now', type: 'server_error', code: null, param: null } } }) }
}

t.before(installCodex)

for (const [client, { base, sign, options }] of Object.entries(logins)) {
  for (const [what, trouble] of Object.entries(troubles)) {
    if (trouble.upgrade !== undefined && client.endsWith('HTTP')) continue
    t.test(`${client}: ${what}`, async t => {
      const { straight, sidecar } = await bothWays(t, { ...options, ...trouble })
      // Both at once: they mostly wait.
      const [without, through] = await Promise.all(([straight, sidecar] as const).map(async way => {
        const run = await runCodex(t, { baseUrl: way.url + base, as: await sign(t), limit: LIMIT })
        const words = run.exitCode === 0 ? run.stdout : run.errors.at(-1) ?? ''
        const shown = run.exitCode === null ? `still waiting after ${LIMIT / 1000} s: ${words}` : words
        note({ client, what, way: way.name, shown, ms: run.ms, requests: way.upstream.seen.length })
        t.comment(`${way.name}: exit ${run.exitCode ?? 'none'} after ${run.ms} ms, ${way.requests} sent, ${way.upstream.seen.length} arrived: ${shown}`)
        t.equal(run.outside, 0, `${way.name}: nothing but the provider is asked`)
        return run
      }))
      t.equal(through?.exitCode, without?.exitCode, 'sidecar: no turn is lost that goes on without it')
    })
  }
}
