import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { WebSocket } from 'ws'
import { simulatedClock } from '../fixtures/clock.ts'
import type { Login } from '../fixtures/differential/logins.ts'
import { sendTo } from '../fixtures/differential/over-sockets.ts'
import { beforeRules, ROLL, startRulesUpstream } from '../fixtures/differential/rules-upstream.ts'
import { isGood, judge, type Asked } from '../fixtures/differential/rules.ts'
import { Sequence } from '../fixtures/live.ts'
import { Random } from '../fixtures/random.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

/** How long a storm lasts; `STORM_SECONDS=60` for the whole of it. */
const SECONDS = Number(process.env['STORM_SECONDS'] ?? 0.6)
/** ms between requests of the helper, and of the live session. */
const PACE = { helper: 10, live: 20 }

const good = { diesAt: Infinity, death: 'revoked', organization: 'org-a', project: 'proj_a', lacks: [], accounts: ['acct-1'], sockets: 'as HTTP' } as const
const oauth: Login = { ...good, upstream: 'anthropic', kind: 'OAuth token', secret: 'sk-ant-oat01-good' }
const key: Login = { ...good, upstream: 'openai', kind: 'key', secret: 'sk-good' }
const login: Login = { ...good, upstream: 'chatgpt', kind: 'login', secret: jwt() }
const revoked: Login = { ...login, secret: jwt({ jti: 'other' }), diesAt: 0, death: 'invalidated' }

const as = ({ upstream, secret }: Login, path: string, fields: Record<string, string> = {}): Omit<Asked, 'roll'> =>
  ({ upstream, method: 'POST', path, handshake: false, fields: { authorization: `Bearer ${secret}`, ...fields } })
const messages = (beta: Record<string, string>) => as(oauth, '/v1/messages', { 'anthropic-version': '2023-06-01', ...beta })
const turn = (one: Login) => as(one, '/backend-api/codex/responses', { 'chatgpt-account-id': 'acct-1' })

interface Storm {
  readonly name: string
  readonly live: Omit<Asked, 'roll'>
  readonly helper: Omit<Asked, 'roll'>
  /** Whether good requests meet the errors that they meet now and then, 1 % of them 401s without a reason. */
  readonly unsteady?: true
  /** What the helper gets direct. */
  readonly gets: number
}

const storms: readonly Storm[] = [
  { name: 'without the beta header', live: messages({ 'anthropic-beta': 'oauth-2025-04-20' }), helper: messages({}), gets: 401 },
  { name: 'with another beta header', live: messages({ 'anthropic-beta': 'oauth-2025-04-20' }), helper: messages({ 'anthropic-beta': 'context-1m-2025-08-07' }), gets: 401 },
  { name: 'with a wrong organisation', live: as(key, '/v1/responses', { 'openai-organization': 'org-a' }), helper: as(key, '/v1/responses', { 'openai-organization': 'org-b' }), gets: 401 },
  { name: 'with a wrong project', live: as(key, '/v1/responses'), helper: as(key, '/v1/responses', { 'openai-project': 'proj_b' }), gets: 401 },
  { name: 'with a revoked second token', live: turn(login), helper: turn(revoked), gets: 401 },
  { name: 'with the same requests, of which 1 % get 401 without a reason', live: turn(login), helper: turn(login), unsteady: true, gets: 200 }
]

const falseNegatives = async (url: string): Promise<number> => {
  const page = await (await request(`${url}/metrics`)).body.text()
  return page.split('\n').filter(line => line.startsWith('codex_sidecar_false_negatives_total{')).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** The live session's long-lived part: an event stream, and a WebSocket that sends a message and gets it back, again and again. */
async function openSession (t: Test, url: string, { path, fields }: Omit<Asked, 'roll'>, agent: Agent) {
  const stream = new Sequence()
  const echoes = new Sequence()
  const { statusCode, body } = await request(url + path, { method: 'POST', headers: { ...fields, [ROLL]: '1', accept: 'text/event-stream' }, body: '{}', dispatcher: agent })
  t.equal(statusCode, 200)
  body.on('data', (chunk: Buffer) => { for (const [, number = ''] of chunk.toString().matchAll(/data: (\d+)\n/g)) stream.take(number) })
  body.on('error', () => {})
  const socket = new WebSocket(url.replace('http', 'ws') + path, { headers: { ...fields, [ROLL]: '1' } })
  t.teardown(() => { socket.terminate() })
  await once(socket, 'message')
  socket.on('message', data => { echoes.take((data as Buffer).toString()) })
  return {
    stream, echoes,
    send: (number: number): void => { socket.send(String(number)) },
    get alive () { return !body.destroyed && socket.readyState === WebSocket.OPEN }
  }
}

for (const { name, live, helper, unsteady = false, gets } of storms) {
  t.test(`a helper ${name}, 100 requests a second beside a live session: no request of the live one is refused`, async t => {
    t.setTimeout(SECONDS > 1 ? 0 : 120_000) // a storm of minutes has its own, that of the run
    const random = new Random()
    if (unsteady) t.comment(`SEED=${random.seed}`)
    const logins = new Map([oauth, key, login, revoked].map(one => [one.secret, one]))
    const { url: upstream, arrived } = await startRulesUpstream(t, { logins, now: Date.now })
    const { url } = await startSidecar(t, { ...beforeRules(upstream), config: { probe: 'first-use' }, logLevel: 'silent' })
    const agent = new Agent()
    t.teardown(() => agent.destroy())
    const session = await openSession(t, url, live, agent)

    const seen = { live: 0, helper: 0, refused: 0, lost: 0, helperRefused: 0, unlike: 0 }
    async function liveSends (handshake: boolean): Promise<void> {
      const asked: Asked = { ...live, method: handshake ? 'GET' : 'POST', handshake, roll: unsteady ? random.next() : 1 }
      const { good, ours } = await sendTo(url, asked, agent)
      seen.live++
      if (ours) seen.refused++
      if (!good && isGood(judge(asked, logins, Date.now()))) seen.lost++
    }
    async function helperSends (): Promise<void> {
      const asked = { ...helper, roll: unsteady ? random.next() : 1 }
      const { status, ours } = await sendTo(url, asked, agent)
      seen.helper++
      if (ours) seen.helperRefused++
      if (status !== (unsteady ? judge(asked, logins, Date.now()).status : gets)) seen.unlike++
    }
    /** So many, one every so many ms, whether the last one has been answered or not. */
    async function every (ms: number, send: (i: number) => Promise<void>): Promise<void> {
      const flights: Promise<void>[] = []
      const begin = performance.now()
      for (let i = 0; i < SECONDS * 1_000 / ms; i++) {
        flights.push(send(i))
        await wait(begin + (i + 1) * ms - performance.now())
      }
      await Promise.all(flights)
    }
    await Promise.all([
      every(PACE.helper, helperSends), every(PACE.live, () => liveSends(false)), every(PACE.live, () => liveSends(true)),
      every(PACE.live, async i => { session.send(i) })
    ])
    t.comment(JSON.stringify({ ...seen, upstream: arrived.length, events: session.stream.count, echoes: session.echoes.count }))
    t.strictSame([seen.refused, seen.lost], [0, 0], 'refused in our name, lost')
    t.equal(seen.unlike, 0, 'the helper gets what it gets direct')
    t.ok(session.alive, 'the stream and the WebSocket live')
    t.strictSame([...session.stream.wrong, ...session.echoes.wrong], [])
    t.equal(await falseNegatives(url), 0)
    if (helper.fields['authorization'] !== live.fields['authorization']) t.ok(arrived.filter(({ fields }) => fields['authorization'] === helper.fields['authorization']).length <= 6, 'a dead token costs its upstream next to nothing')
  })
}

t.test('a wrong refusal, once provoked, is counted', async t => {
  let dead = true
  const upstream = await startUpstream(t, (_request, response) => { json(response, dead ? 401 : 200, dead ? deadKey : {}) })
  const clock = simulatedClock()
  const { url } = await startSidecar(t, { upstream: upstream.url, clock })
  const agent = new Agent()
  t.teardown(() => agent.destroy())
  const send = async () => await sendTo(url, { ...as(key, '/v1/responses'), roll: 1 }, agent)
  t.match(await send(), { status: 401, ours: false })
  dead = false
  t.match(await send(), { status: 401, ours: true }, 'its upstream would take it again')
  t.equal(await falseNegatives(url), 0, 'which nobody knows yet')
  clock.advance(16_000)
  t.match(await send(), { status: 200 })
  t.equal(await falseNegatives(url), 1)
})
