import t from 'tap'
import type { Code } from '../../src/answers/errors.ts'
import type { Credential } from '../../src/credential/credential.ts'
import { createCredentialReader } from '../../src/credential/credential.ts'
import { ownName } from '../../src/credential/kind.ts'
import { History } from '../../src/telemetry/history.ts'
import { outcomeOf } from '../../src/telemetry/outcome.ts'
import { Refusals } from '../../src/telemetry/refusals.ts'
import { RequestRecord } from '../../src/telemetry/record.ts'
import { createClientReader } from '../../src/telemetry/usage/clients.ts'
import { createLimitsReader } from '../../src/telemetry/usage/limits.ts'
import { Usage } from '../../src/telemetry/usage/usage.ts'
import { clientOf, shownClient } from '../../src/wire/fields/user-agent.ts'
import { simulatedClock } from '../fixtures/clock.ts'
import { credentialOf } from '../fixtures/judging.ts'
import { jwt } from '../fixtures/token.ts'

const clientBy = createClientReader()

interface Told { credential?: Credential, status?: number, at?: number, userAgent?: string, route?: string | undefined, code?: Code, fields?: string[], ending?: RequestRecord['ending'], guardMs?: number, upstreamMs?: number }

/** A request that is over. */
function recordOf ({ credential, status = 200, at = 1, userAgent = 'codex_cli_rs/1.0', route = '/v1', code, fields, ending, guardMs, upstreamMs }: Told): RequestRecord {
  const record = new RequestRecord({ id: '1', method: 'GET', target: '/v1/x', foreign: false, userAgent, originator: undefined })
  return Object.assign(record, { credential, status, endedAt: at, client: clientBy(userAgent, undefined), route, code, ending, upstreamFields: fields, guardMs, upstreamMs })
}

t.test('a credential is called what its owner calls it, and shows no more than four characters', async t => {
  const read = createCredentialReader()
  const nameOf = (field: string, value: string, fields = [field]): string => {
    const presented = read([field, value], fields)
    if (presented.kind !== 'credential') throw new Error(presented.kind)
    return ownName(presented.credential.owned)
  }
  const long = 'abcdefghijklmnopqrstuv1a2b'
  for (const [token, name] of [
    [`sk-${long}`, 'OpenAI key (…1a2b)'], [`sk-proj-${long}`, 'OpenAI project key (…1a2b)'], [`sk-svcacct-${long}`, 'OpenAI service key (…1a2b)'],
    [`sk-admin-${long}`, 'OpenAI admin key (…1a2b)'], [`sk-ant-api03-${long}`, 'Anthropic key (…1a2b)'], [`sk-ant-oat01-${long}`, 'Anthropic OAuth token (…1a2b)'],
    [`sk-or-v1-${long}`, 'gateway key (…1a2b)'], [`tid=${long};exp=1`, 'gateway key (…xp=1)'], [`ek_${long}`, 'OpenAI client secret (…1a2b)'], [`at-${long}`, 'OpenAI access token (…1a2b)'],
    [long, 'opaque token (…1a2b)'], ['short-and-secret', 'opaque token'],
    [jwt({}, 'account-of-1a2b'), 'ChatGPT login (plan pro, …1a2b)'],
    [jwt({ 'https://api.openai.com/auth': undefined, sub: 'somebody' }), 'JWT'],
    [jwt({ 'https://api.openai.com/auth': { chatgpt_plan_type: '<b>', chatgpt_account_id: 7 } }), 'ChatGPT login']
  ] as const) t.equal(nameOf('authorization', `Bearer ${token}`), name)
  t.equal(nameOf('x-goog-api-key', long), 'gateway key (…1a2b)', 'in a field of somebody else')
  const pair = read(['authorization', `Bearer ${long}`, 'x-api-key', `${long}2`], ['authorization', 'x-api-key'])
  t.equal(pair.kind === 'credential' && ownName(pair.credential.owned), 'pair of credentials')
  t.equal(credentialOf(jwt({ exp: 4_000_000_000 })).owned.endsAt, 4_000_000_000_000)
  for (const exp of [-1, 1e13, 'soon']) t.equal(credentialOf(jwt({ exp })).owned.endsAt, undefined)
})

t.test('a client is known by what it calls itself', async t => {
  for (const [userAgent, originator, shown] of [
    ['codex_cli_rs/0.169.0 (Debian 12; x86_64) xterm', 'codex_cli_rs', 'codex_cli_rs 0.169.0'],
    ['codex_exec/0.169.0', undefined, 'codex_exec 0.169.0'],
    ['pi (linux 6.1; x64)', 'pi', 'pi'],
    ['OpenAI/JS 6.49.0', undefined, 'OpenAI/JS 6.49.0'],
    ['AsyncOpenAI/Python 1.99.1', undefined, 'AsyncOpenAI/Python 1.99.1'],
    ['undici', 'openclaw', 'openclaw (undici)'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36', undefined, 'Chrome 130.0.0.0'],
    ['Mozilla/5.0', undefined, 'Mozilla 5.0'],
    ['', 'codex_vscode', 'codex_vscode'],
    ['(nothing)', undefined, 'unnamed'], [undefined, undefined, 'unnamed'],
    ['my-tool-sk-proj-secretsecret/1.0+eyJhbGciOiJSUzI1NiJ9', 'key=sk-proj-secretsecretsecret', 'unnamed'], ['tool/1', 'Bearer abcdefghijklmnop', 'tool 1'], ['task-runner/2.0-rc.20261102', 'ask-me-anything-else', 'ask-me-anything-else (task-runner) 2.0-rc.20261102'],
    ['sk-proj-abcdefgh/sk-proj-secret', 'eyJhbGciOi', 'unnamed'], ['tool/sk-secret', undefined, 'tool'],
    [`${'x'.repeat(100)}/${'1'.repeat(100)}`, undefined, `${'x'.repeat(40)} ${'1'.repeat(24)}`],
    ['', 'a\u0007b\u00e9 c', 'a b c']
  ] as const) t.equal(shownClient(clientOf(userAgent, originator)), shown)
  const first = clientBy('a/1', undefined)
  t.equal(clientBy('a/1', undefined), first)
  t.not(clientBy('b/1', 'x'), first)
  t.equal(clientBy('a/1', undefined), first, 'read once')
  t.equal(clientBy(undefined, 'x').name, 'x')
  t.equal(clientBy(undefined, undefined).name, 'unnamed')
  const long = 'c'.repeat(600)
  t.not(clientBy(long, undefined), clientBy(long, undefined), 'but long ones are not kept')
})

t.test('what web pages of other origins make up stands not among a person’s credentials', async t => {
  const usage = new Usage(10)
  const foreign = (told: Told): RequestRecord => Object.assign(recordOf(told), { foreign: true })
  const [own, junk, used] = ['own', 'junk', 'used'].map(credentialOf) as [Credential, Credential, Credential]
  usage.finished(recordOf({ credential: own, status: 401 }))
  for (const status of [401, 500, 404]) usage.finished(foreign({ credential: junk, status }))
  t.strictSame(usage.latest(9).map(({ fingerprint }) => fingerprint), [own.fingerprint])
  usage.finished(foreign({ credential: used }))
  usage.finished(foreign({ credential: used, status: 401 }))
  t.match(usage.find(used.fingerprint)?.counts, { good: 1, refused: 1 }, 'one that works is somebody’s')
})

t.test('what a credential did is kept, by client, and what was good outlasts junk', async t => {
  const usage = new Usage(3)
  const good = credentialOf('good')
  usage.finished(recordOf({ credential: good, status: 401 }))
  usage.finished(recordOf({ credential: good }))
  for (let i = 0; i < 10; i++) usage.finished(recordOf({ credential: credentialOf(`junk-${i}`), status: 401, code: 'token_rejected' }))
  t.equal(usage.size, 4)
  t.match(usage.find(good.fingerprint), { counts: { good: 1, refused: 1 }, last: 'good', refusal: undefined })
  for (let i = 0; i < 12; i++) usage.finished(recordOf({ credential: good, userAgent: `tool-${i}/1`, at: 10 + i, route: `/v1-${i}`, status: 429, fields: ['Retry-After', '7'] }))
  usage.finished(recordOf({ credential: good, userAgent: 'tool-5/1', at: 30 }))
  usage.finished(recordOf({ credential: good, userAgent: 'tool-5/1', at: 31 }))
  const used = usage.find(good.fingerprint)
  t.equal(used?.clients.length, 10)
  t.match(used?.clients[0], { client: { name: 'tool-5', version: '1' }, requests: 3, usedAt: 31 })
  t.equal(used?.keys.length, 8)
  t.match(used?.limits, { said: new Map([['retry-after', '7']]), at: 21, route: '/v1-11' })
  t.equal([...usage].length, 4)
  t.strictSame(usage.latest(2).map(({ usedAt }) => usedAt), [31, 1], 'those used last')
  for (const [at, left, kept] of [[2_000, '5', '5'], [2_500, '4', '5'], [3_000, '3', '3']] as const) {
    usage.finished(recordOf({ credential: credentialOf('spender'), at, fields: ['x-ratelimit-remaining-requests', left] }))
    t.equal(usage.find(credentialOf('spender').fingerprint)?.limits?.said.get('x-ratelimit-remaining-requests'), kept, 'read once a second')
  }
  usage.finished(recordOf({ status: 404, route: undefined }))
  usage.opened(recordOf({ credential: good, status: 101, at: 40 }))
  usage.finished(recordOf({ credential: good, status: 101, at: 50 }))
  t.match(usage.find(good.fingerprint), { counts: { good: 4 }, usedAt: 40 }, 'a WebSocket counts once, when it opens')
  const anonymous = recordOf({ credential: good })
  anonymous.client = undefined
  usage.finished(anonymous)
  t.equal(usage.find(good.fingerprint)?.counts.good, 5)
  const refusals = new Refusals(3, simulatedClock())
  refusals.finished(Object.assign(recordOf({ status: 401, code: 'missing_token' }), { client: undefined }))
  t.match([...refusals], [{ clients: [] }])
})

t.test('limits that pass by are read, and nothing else of an answer', async t => {
  const read = createLimitsReader()
  t.equal(read([`x-ratelimit-remaining-${'a'.repeat(60_000)}`, '1'], 200), undefined, 'a name that nobody can read is not kept')
  const fields = ['X-Codex-Primary-Used-Percent', '87.5', 'x-codex-turn-state', 'secret', 'x-ratelimit-remaining-requests', '3', 'anthropic-ratelimit-tokens-limit', '1000', 'retry-after', '5', 'x-request-id', 'r', 'date', 'now']
  t.strictSame([...read(fields, 200) ?? []], [['x-codex-primary-used-percent', '87.5'], ['x-ratelimit-remaining-requests', '3'], ['anthropic-ratelimit-tokens-limit', '1000']])
  t.strictSame([...read(['Retry-After', '5'], 429) ?? []], [['retry-after', '5']])
  t.equal(read(['x-request-id', '1', 'content-type', 'x'], 200), undefined)
  t.equal(read(['x-ratelimit-remaining-requests', 'x'.repeat(41)], 200), undefined, 'what is longer than a number is none')
  const many = Array.from({ length: 300 }, (_, i) => [`x-ratelimit-remaining-${i}`, '1']).flat()
  t.equal(read(many, 200)?.size, 30, 'bounded')
})

t.test('an hour is kept by minutes, with what happened in it', async t => {
  const history = new History()
  const minute = 60_000
  const now = 100 * minute + 5
  for (const told of [{}, { guardMs: 1, upstreamMs: 101 }, { guardMs: 1 }, { status: 401 }, { status: 429 }, { status: 502, code: 'upstream_reset' as const }, { status: 404 }, { ending: 'cut' as const }, { route: undefined }]) history.finished(recordOf({ at: now, ...told, route: 'route' in told ? undefined : '/v1' }))
  history.finished(recordOf({ at: now - 30 * minute }))
  const untold = recordOf({ at: now })
  untold.route = undefined
  history.finished(untold)
  history.mark({ at: now - 80 * minute, kind: 'circuit', words: 'old' })
  for (const at of [now - 10, now]) history.mark({ at, kind: 'circuit', words: 'opened' })
  const { minutes, events } = history.told(now)
  t.equal(minutes.length, 60)
  t.match(minutes.at(-1), { at: 100 * minute, good: 4, refused: 1, limited: 1, failed: 2, other: 1 })
  t.ok((minutes.at(-1)?.addedMs ?? 0) > 0.5 && (minutes.at(-1)?.addedMs ?? 9) < 2)
  t.ok((minutes.at(-1)?.upstreamMs ?? 0) > 50 && (minutes.at(-1)?.upstreamMs ?? 999) < 200)
  t.match(minutes.at(-31), { good: 1, addedMs: null, upstreamMs: null })
  t.match(events, [{ words: 'opened' }])
  t.equal(history.told(now + 90 * minute).minutes.reduce((sum, { good }) => sum + good, 0), 0, 'and then forgotten')
  history.finished(recordOf({ at: now + 60 * minute }))
  t.equal(history.told(now + 60 * minute).minutes.at(-1)?.good, 1)
  for (let i = 0; i < 150; i++) history.mark({ at: now, kind: 'verdict', words: `${i}` })
  t.equal(history.told(now).events.length, 100)
  t.equal(outcomeOf({ status: 400, code: 'upstream_incomplete', ending: 'ours' }), 'failed')
})
