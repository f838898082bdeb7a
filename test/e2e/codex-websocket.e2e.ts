import { availableParallelism, loadavg } from 'node:os'
import t, { type Test } from 'tap'
import { expiredJwt, jwt } from '../fixtures/token.ts'
import { bothWays, type Way } from './both-ways.ts'
import { startChatgpt } from './chatgpt.ts'
import { installCodex, runCodex, type CodexRun, type Login } from './codex-binary.ts'
import { DEAD, GOOD, revoked, TEXT, type ProviderOptions } from './provider.ts'
import { note } from './results.ts'
import { Table } from './table.ts'

// The Codex CLI's built-in provider, which speaks WebSocket first, with both of its logins.

t.setTimeout(600_000) // the first run downloads Codex

const table = new Table('login', 'case', 'way', 'codex sent', 'upstream saw', 'upgrades', 'POSTs', 'refreshes', 'ms', 'exit', 'last line shown')

interface Turn extends CodexRun { sent: number, saw: number, upgrades: number, posts: number, refreshes: number }

/** Fits the login to a way: how it is signed in, and where its refreshes are counted. */
type SignIn = (t: Test) => Promise<{ login: Login, readonly refreshes: number }>

/** One turn on one way, measured and noted. */
async function turn (t: Test, name: string, what: string, way: Way, base: string, signIn: SignIn): Promise<Turn> {
  const { upstream } = way
  const before = { requests: way.requests, seen: upstream.seen.length, upgrades: upstream.upgrades.length, turns: upstream.turns }
  const signedIn = await signIn(t)
  const run = await runCodex(t, { baseUrl: way.url + base, as: signedIn.login })
  const counts = {
    sent: way.requests - before.requests,
    saw: upstream.seen.length - before.seen,
    upgrades: upstream.upgrades.length - before.upgrades,
    posts: upstream.turns - before.turns,
    refreshes: signedIn.refreshes
  }
  const { sent, saw, upgrades, posts, refreshes } = counts
  const shown = run.exitCode === 0 ? run.stdout.trim() : run.errors.at(-1) ?? ''
  table.add(name, what, way.name, sent, saw, upgrades, posts, refreshes, run.ms, run.exitCode ?? 'killed', shown.slice(0, 90))
  note({ client: `${name === 'ChatGPT' ? 'ChatGPT login' : name}, WebSocket`, what, way: way.name, shown, ms: run.ms, requests: saw })
  t.equal(run.outside, 0, `${way.name}: nothing but the provider is asked`)
  return { ...run, ...counts }
}

t.before(installCodex)
t.teardown(() => { table.print(t) })

const apiKey = (key: string): SignIn => async () => ({ login: { apiKey: key }, refreshes: 0 })
const chatgpt = (accessToken: string, refresh?: (n: number) => string | undefined): SignIn => async t => {
  const chatgpt = await startChatgpt(t, refresh)
  return { login: { accessToken, chatgpt }, get refreshes () { return chatgpt.refreshes } }
}

const good = jwt({ jti: 'good' })
const dead = jwt({ jti: 'dead' })
const session: ProviderOptions = { takes: token => token === good, refusal: revoked }

const logins: Record<string, { base: string, good: SignIn, options: ProviderOptions }> = {
  'API key': { base: '/v1', good: apiKey(GOOD), options: {} },
  ChatGPT: { base: '/backend-api/codex', good: chatgpt(good), options: session }
}

for (const [name, login] of Object.entries(logins)) {
  t.test(`${name}: a good turn`, async t => {
    const { straight, sidecar } = await bothWays(t, login.options)
    for (const way of [straight, sidecar]) {
      const { exitCode, stdout, upgrades, posts } = await turn(t, name, 'good turn', way, login.base, login.good)
      t.equal(exitCode, 0, `${way.name}: codex succeeds`)
      t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
      t.same({ upgrades, posts, turns: way.upstream.socketTurns }, { upgrades: 1, posts: 0, turns: 1 }, `${way.name}: one turn, over WebSocket`)
    }
  })

  t.test(`${name}: a WebSocket that is lost once within a turn`, async t => {
    const { straight, sidecar } = await bothWays(t, { ...login.options, halves: 1 })
    for (const way of [straight, sidecar]) {
      const { exitCode, stdout, posts } = await turn(t, name, 'lost within a turn, once', way, login.base, login.good)
      t.equal(exitCode, 0, `${way.name}: codex recovers`)
      t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
      t.same({ posts, turns: way.upstream.socketTurns }, { posts: 0, turns: 2 }, `${way.name}: with one more turn, over WebSocket`)
    }
  })

  t.test(`${name}: one handshake refused with a 401 that does not say why (openai/codex#39578)`, async t => {
    const { straight, sidecar } = await bothWays(t, { ...login.options, upgrade: n => n === 1 ? { status: 401, body: { detail: 'Unauthorized' } } : undefined })
    for (const way of [straight, sidecar]) {
      const { exitCode, posts, upgrades } = await turn(t, name, 'first handshake 401, no reason', way, login.base, login.good)
      t.equal(exitCode, 0, `${way.name}: codex recovers`)
      t.same({ posts, upgrades, turns: way.upstream.socketTurns }, { posts: 0, upgrades: 2, turns: 1 }, `${way.name}: it keeps its WebSocket`)
    }
  })

  t.test(`${name}: an upstream without WebSockets`, async t => {
    const { straight, sidecar } = await bothWays(t, { ...login.options, upgrade: () => ({ status: 426, body: {} }) })
    for (const way of [straight, sidecar]) {
      const { exitCode, stdout, posts, upgrades } = await turn(t, name, 'upstream answers 426', way, login.base, login.good)
      t.equal(exitCode, 0, `${way.name}: codex succeeds`)
      t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
      t.same({ posts, upgrades }, { posts: 1, upgrades: 1 }, `${way.name}: over HTTP, at once`)
    }
  })
}

interface BadToken {
  name: string
  what: string
  base: string
  signIn: SignIn
  options: ProviderOptions
  /** Requests that the upstream may see through the sidecar, in a first run and in each later one. */
  most: [first: number, later: number]
  /** ms that a run through the sidecar may take. */
  within: number
}

const expired = expiredJwt()
const chatgptBase = '/backend-api/codex'
const anotherDead = (n: number): string => jwt({ jti: `dead ${n}` })

/** Bad on both transports, and for ever. */
const badTokens: BadToken[] = [
  { name: 'API key', what: 'dead key', base: '/v1', signIn: apiKey(DEAD), options: {}, most: [2, 0], within: 2000 },
  // An expired one costs a question about the time, which carries no credential, where no clock is confirmed yet.
  { name: 'API key', what: 'expired JWT', base: '/v1', signIn: apiKey(expired), options: {}, most: [1, 0], within: 2000 },
  { name: 'ChatGPT', what: 'dead token, refresh refused', base: chatgptBase, signIn: chatgpt(dead), options: session, most: [2, 0], within: 2000 },
  { name: 'ChatGPT', what: 'dead token, refresh gives it again', base: chatgptBase, signIn: chatgpt(dead, () => dead), options: session, most: [2, 0], within: 2000 },
  { name: 'ChatGPT', what: 'expired JWT, refresh refused', base: chatgptBase, signIn: chatgpt(expired), options: session, most: [1, 0], within: 2000 },
  // A new token may be good, so each of the 13 goes up, once.
  { name: 'ChatGPT', what: 'dead token, each refresh gives another', base: chatgptBase, signIn: chatgpt(dead, anotherDead), options: session, most: [16, 14], within: 4000 }
]

for (const { name, what, base, signIn, options, most: [first, later], within } of badTokens) {
  t.test(`${name}: ${what}`, async t => {
    const { straight, sidecar } = await bothWays(t, options)
    const without = await turn(t, name, what, straight, base, signIn)
    t.equal(without.exitCode, 1)

    const through = await turn(t, name, what, sidecar, base, signIn)
    t.equal(through.exitCode, 1)
    t.ok(through.saw <= first, `sidecar: the upstream is asked ${first} times at most`)

    const again = await turn(t, name, `${what}: next run`, sidecar, base, signIn)
    t.ok(again.saw <= later, `sidecar: the upstream is asked ${later} times at most in the next run`)
    // Codex needs all of one core for this; a machine with other work says nothing about it.
    const busy = loadavg()[0] as number > availableParallelism()
    if (busy) t.comment('the time is not judged: this machine is busy')
    else t.ok(Math.min(through.ms, again.ms) < within, `sidecar: codex is done within ${within} ms`)
  })
}

t.test('ChatGPT: a dead token whose refresh gives a good one', async t => {
  const { straight, sidecar } = await bothWays(t, session)
  for (const way of [straight, sidecar]) {
    const { exitCode, stdout, posts, refreshes } = await turn(t, 'ChatGPT', 'dead token, refresh gives a good one', way, chatgptBase, chatgpt(dead, () => good))
    t.equal(exitCode, 0, `${way.name}: codex recovers`)
    t.equal(stdout.trim(), TEXT, `${way.name}: the whole answer is shown`)
    t.same({ posts, refreshes }, { posts: 0, refreshes: 1 }, `${way.name}: it stays on WebSocket`)
  }
})
