import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer, expiredJwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

// Web pages of other origins in a real browser: what they get through us is what the upstream allows them, and of what is
// ours they get nothing but the answers to their own requests. The SDKs in pages are clients of `npm run e2e:clients`.

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `no Chromium at ${executablePath}: install Debian's package chromium, or name one in CHROMIUM`
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A page of an origin of its own. */
async function open (t: Test): Promise<{ page: Page, origin: string }> {
  const site = await startUpstream(t, (_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title>'))
  const profile = mkdtempSync(join(tmpdir(), 'foreign-page-'))
  t.teardown(() => { rmSync(profile, { recursive: true, force: true }) })
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: flags })
  t.teardown(() => context.close())
  const page = context.pages()[0] ?? await context.newPage()
  const origin = site.url.replace('127.0.0.1', 'localhost')
  await page.goto(origin)
  return { page, origin }
}

interface Asked { readonly method?: string, readonly headers?: Readonly<Record<string, string>>, readonly body?: string, readonly mode?: 'cors' | 'no-cors' }

/** What a page can read of an answer: its status and its text, or that there is nothing. */
const fetchFrom = async (page: Page, url: string, asked: Asked = {}): Promise<string> => await page.evaluate(async ([url, asked]) =>
  await fetch(url, asked).then(async answer => `${answer.status} ${await answer.text()}`, (error: unknown) => String(error)), [url, asked] as const)

/** An upstream that allows one origin, or none, its pages. */
const allowing = (t: Test, allowed: () => string | undefined) => startUpstream(t, ({ method, headers: { authorization } }, response: ServerResponse) => {
  const origin = allowed()
  if (origin !== undefined) response.setHeader('access-control-allow-origin', origin).setHeader('access-control-allow-headers', 'authorization, content-type')
  if (method === 'OPTIONS') response.writeHead(204).end()
  else if (authorization === 'Bearer sk-dead') json(response, 401, deadKey)
  else json(response, 200, { secret: 'answer' })
})

const NOTHING = 'TypeError: Failed to fetch'
const turn = (token: string): Asked => ({ method: 'POST', headers: { ...bearer(token), 'content-type': 'application/json' }, body: '{}' })

t.test('a page gets through us what the upstream allows it, and nothing else', { skip, timeout: 120_000 }, async t => {
  const { page, origin } = await open(t)
  let allowed: string | undefined
  const upstream = await allowing(t, () => allowed)
  const { url } = await startSidecar(t, { upstream: upstream.url })
  const both = async (asked: Asked): Promise<string[]> => [await fetchFrom(page, `${upstream.url}/v1/responses`, asked), await fetchFrom(page, `${url}/v1/responses`, asked)]
  for (const other of [undefined, 'https://other.example']) {
    allowed = other
    t.strictSame(await both(turn('good')), [NOTHING, NOTHING], `allowed is ${String(other)}`)
    t.strictSame(await both({ mode: 'no-cors' }), ['0 ', '0 '])
  }
  t.notOk(upstream.seen.some(({ method }) => method === 'POST'), 'what was not allowed was not sent')
  allowed = origin
  t.strictSame(await both(turn('good')), ['200 {"secret":"answer"}', '200 {"secret":"answer"}'])
  t.match(await fetchFrom(page, `${url}/v1/responses`, turn(expiredJwt())), /^401 .*token_expired.*Invalid bearer token/, 'our own refusal')
  for (let i = 0; i < 2; i++) t.match(await fetchFrom(page, `${url}/v1/responses`, turn('sk-dead')), /^401 .*Incorrect API key/, 'the upstream’s, and ours in its place')
  t.equal(upstream.seen.filter(({ headers }) => headers.authorization === 'Bearer sk-dead').length, 1)
})

t.test('a page reads nothing of ours and changes nothing, though it may send requests', { skip, timeout: 120_000 }, async t => {
  const { page, origin } = await open(t)
  const upstream = await allowing(t, () => origin)
  const { url, app } = await startSidecar(t, { upstream: upstream.url })
  t.match(await fetchFrom(page, `${url}/v1/responses`, turn('sk-dead')), /^401/)
  const verdicts = (): number => app.generation.verdicts.size
  t.equal(verdicts(), 1)
  for (const path of ['/status', '/metrics', '/livez', '/readyz', '/status?verdicts=1']) t.equal(await fetchFrom(page, `${url}${path}`), NOTHING, path)
  for (const path of ['/status/verdicts', '/status/verdicts/12345678']) t.equal(await fetchFrom(page, `${url}${path}`, { method: 'DELETE' }), NOTHING, path)
  t.equal(await fetchFrom(page, `${url}/status/verdicts`, { method: 'POST', mode: 'no-cors' }), '0 ')
  t.equal(verdicts(), 1, 'no verdict was released')
})
