import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { rememberMany } from '../fixtures/many-verdicts.ts'
import { RawClient } from '../fixtures/raw-client.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { at, bearer, expiredJwt, jwt } from '../fixtures/token.ts'
import { deadKey, json, startUpstream } from '../fixtures/upstream.ts'

// The status page in a real browser: what it shows, how it looks, and that the keyboard and a screen reader can use it.

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `no Chromium at ${executablePath}: install Debian's package chromium, or name one in CHROMIUM`
/** Where the screenshots go; not committed. */
const pictures = fileURLToPath(new URL('../../.cache/status-page/', import.meta.url))
if (skip === false) mkdirSync(pictures, { recursive: true })
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** A usual laptop's screen. */
const LAPTOP = { width: 1366, height: 768 }

/** A sidecar that has seen good, dead, unclear and expired tokens. */
async function livedIn (t: Test) {
  const upstream = await startUpstream(t, ({ headers: { authorization = '' } }, response) => {
    if (authorization.includes('dead')) json(response, 401, deadKey)
    else if (authorization.includes('unclear')) json(response, 401, { detail: 'Unauthorized' })
    else json(response, 200, {})
  })
  const sidecar = await startSidecar(t, { upstream: upstream.url })
  const send = async (token: string, path = '/v1/responses'): Promise<void> => {
    const { body } = await request(`${sidecar.url}${path}`, { method: 'POST', headers: bearer(token), body: '{}' })
    await body.dump()
  }
  for (const token of ['good-1', 'good-2', 'dead-1', 'dead-1', 'dead-1', 'unclear-1', jwt()]) await send(token)
  for (const path of ['/v1/responses', '/backend-api/codex/responses', '/nowhere']) await send(expiredJwt(), path)
  return sidecar
}

/** A page in a browser of its own, which shows the status. */
async function open (t: Test, url: string, state = 'Working.'): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'status-page-'))
  t.teardown(() => { rmSync(profile, { recursive: true, force: true }) })
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: flags })
  t.teardown(() => context.close())
  const page = context.pages()[0] ?? await context.newPage()
  page.on('console', message => { if (message.type() === 'error' && !message.text().includes('ERR_CONNECTION_REFUSED')) t.fail(`the browser complains: ${message.text()}`) })
  page.on('pageerror', error => { t.fail(`the page fails: ${error.message}`) })
  await page.goto(`${url}/status`)
  await page.getByText(state).waitFor()
  return page
}

/** What axe finds. */
async function violations (page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations: found } = await page.evaluate(async () => await (globalThis as unknown as { axe: typeof axe }).axe.run())
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

t.test('looks', { skip }, async t => {
  const { url } = await livedIn(t)
  const page = await open(t, url)
  await page.getByText('codex', { exact: true }).click()
  for (const [width, height, size] of [[1280, 900, ''], [360, 740, 'narrow-']] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const name = `${size}${colorScheme}`
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme })
      t.strictSame(await violations(page), [], `${name}: axe finds nothing`)
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${name}: nothing stands out at the side`)
      await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
    }
  }
})

/** Five clients and three logins: one revoked, one at its limit, one expired with a newer one on disk. */
async function story (t: Test) {
  const logins = {
    revoked: jwt({ exp: at(600_000) }, 'acct-of-work-1a2b'), limited: jwt({ exp: at(300_000) }, 'acct-of-home-3c4d'),
    expired: jwt({ iat: at(-14_400), exp: at(-10_800) }, 'acct-of-team-5e6f'), newer: jwt({ iat: at(-600), exp: at(864_000) }, 'acct-of-team-5e6f')
  }
  const HOME = t.testdir({ '.codex': { 'auth.json': JSON.stringify({ auth_mode: 'chatgpt', tokens: { access_token: logins.newer, refresh_token: 'never-shown' } }) } })
  const upstream = await startUpstream(t, ({ headers: { authorization = '' } }, response) => {
    if (authorization === `Bearer ${logins.revoked}` && revoked) json(response, 401, { error: { code: 'token_revoked', message: 'Your login was revoked.' } }, { 'x-oai-request-id': 'req_upstream_7' })
    else if (authorization === `Bearer ${logins.limited}`) json(response, 429, {}, { 'retry-after': '1800', 'x-codex-primary-used-percent': '100', 'x-codex-primary-window-minutes': '300', 'x-codex-primary-reset-after-seconds': '1800' })
    else json(response, 200, {}, { 'x-codex-primary-used-percent': '42', 'x-codex-primary-window-minutes': '300' })
  })
  let revoked = false
  const sidecar = await startSidecar(t, { upstream: upstream.url, env: { HOME } })
  const send = async (token: string, userAgent: string, originator = ''): Promise<void> => {
    const { body } = await request(`${sidecar.url}/backend-api/codex/responses`, { method: 'POST', headers: { ...bearer(token), 'user-agent': userAgent, ...originator === '' ? {} : { originator } }, body: '{}' })
    await body.dump()
  }
  const codex = ['codex_cli_rs/0.169.0 (Debian 12; x86_64) xterm', 'codex_cli_rs'] as const
  const pi = ['pi (linux 6.1; x64)', 'pi'] as const
  for (let i = 0; i < 6; i++) await send(logins.revoked, ...codex)
  revoked = true
  for (let i = 0; i < 9; i++) await (i % 3 === 0 ? send(logins.revoked, ...codex) : send(logins.revoked, ...pi))
  await send(logins.limited, 'openclaw/2026.9.6')
  for (let i = 0; i < 8; i++) await send(logins.expired, i % 2 === 0 ? 'codex_vscode/0.5.1' : 'OpenAI/JS 6.49.0')
  return { ...sidecar, logins }
}

t.test('a person sees which login is dead, who uses it and what to do, without scrolling', { skip }, async t => {
  const { url, logins } = await story(t)
  const page = await open(t, url)
  await page.setViewportSize(LAPTOP)
  await page.getByText('Working. 3 credentials need you.').waitFor()
  const items = page.locator('#credentials > li')
  await items.nth(2).waitFor()
  const told = await items.allInnerTexts()
  t.equal(told.length, 3)
  for (const [name, ...expected] of [
    ['…1a2b', /ChatGPT login \(plan pro, …1a2b\)/, /refused/, /ends in 6 d/, /Sign in again in the client that uses it/, /Used by (?:pi, codex_cli_rs 0\.169\.0|codex_cli_rs 0\.169\.0, pi)/, /6 good, 9 refused/, /Your login was revoked\./, /req_upstream_7/],
    ['…3c4d', /at its limit/, /Wait for the limit/, /100 % used of 5 h, filled again in 30 min/, /Used by openclaw 2026\.9\.6/],
    ['…5e6f', /expired/, /ended 3 h/, /Restart (?:OpenAI\/JS 6\.49\.0, codex_vscode 0\.5\.1|codex_vscode 0\.5\.1, OpenAI\/JS 6\.49\.0): still in use is a login of 4 hours ago, and a newer one is in ~\/\.codex\/auth\.json/, /Used by OpenAI\/JS 6\.49\.0, codex_vscode 0\.5\.1/, /8 refused/]
  ] as const) {
    const text = told.find(one => one.includes(name)) ?? ''
    for (const words of expected) t.match(text, words, name)
  }
  for (let i = 0; i < 3; i++) {
    const box = await items.nth(i).boundingBox()
    t.ok(box !== null && box.y + box.height <= LAPTOP.height, `${i} is on the first screen (${String(box?.y)} + ${String(box?.height)})`)
  }
  t.strictSame(await page.locator('#refusal-groups h3').allTextContents(), ['Credentials'])
  t.equal(await page.locator('#refusal-groups li').count(), 2, 'equal refusals are one line')
  t.match(await page.locator('#refusal-groups li').allInnerTexts(), [/8 times/, /\d times/])
  t.match(await page.locator('#hour-said').textContent(), /^Requests: 6 good, 1 at a limit, 17 refused\./)
  t.match(await page.locator('#hour-events').textContent(), /token [0-9a-f]{8} is refused/)
  const all = await page.content()
  for (const token of Object.values(logins)) t.notOk(all.includes(token.slice(-12)) || all.includes(token.slice(0, 40)), 'no part of a token')
  for (const secret of ['acct-of', 'never-shown', 'access_token']) t.notOk(all.includes(secret), 'nor more of an account, nor what else was read')
  for (const [width, height, size] of [[LAPTOP.width, LAPTOP.height, ''], [360, 740, 'narrow-']] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme })
      t.strictSame(await violations(page), [], `${size}${colorScheme}: axe finds nothing`)
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${size}${colorScheme}: nothing stands out at the side`)
      await page.screenshot({ path: join(pictures, `story-${size}${colorScheme}.png`) })
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(LAPTOP)
  await page.screenshot({ path: join(pictures, 'story-full.png'), fullPage: true })
})

t.test('an upstream that can not be reached is seen at once', { skip }, async t => {
  const { url } = await startSidecar(t, { upstream: 'http://127.0.0.1:9' })
  for (let i = 0; i < 6; i++) await (await request(`${url}/v1/models`, { headers: bearer('good') })).body.dump()
  const page = await open(t, url, 'Working, but the upstream of /v1/ can not be reached.')
  await page.getByText(/^circuit open: Upstream connection error \(socket hang up\): the upstream could not be reached, it refused the connection\./).waitFor()
  await page.getByText('None so far: the first request with a token makes one.').waitFor()
  t.strictSame(await violations(page), [])
  await page.screenshot({ path: join(pictures, 'trouble.png'), fullPage: true })
})

t.test('the keyboard releases a token, and stays where it was', { skip }, async t => {
  const { url, app } = await livedIn(t)
  const page = await open(t, url)
  const focused = (): Promise<string | null> => page.locator(':focus').getAttribute('aria-label', { timeout: 500 }).catch(() => null)
  for (let i = 0; i < 40 && !(await focused())?.startsWith('Release'); i++) await page.keyboard.press('Tab')
  const label = await focused() ?? ''
  t.match(label, /^Release opaque token, token [0-9a-f]{8}$/)
  await page.waitForResponse(/\/status\?/)
  t.equal(await focused(), label, 'a refresh leaves the focus alone')
  const kept = app.generation.verdicts.size
  await page.keyboard.press('Enter')
  await page.getByText(/^Token [0-9a-f]{8} is released\.$/).waitFor({ state: 'attached' })
  t.equal(app.generation.verdicts.size, kept - 1)
  await page.getByRole('button', { name: label }).waitFor({ state: 'detached' })
  t.equal(await page.locator(':focus').getAttribute('id'), 'credentials-title', 'the focus is not lost')
  await page.locator('#find').focus()
  await page.keyboard.type('active')
  await page.getByText('All 3 that fit, of 4 kept.').waitFor()
  t.strictSame(await page.locator('#verdicts tr td:nth-child(3)').allTextContents(), ['active', 'active', 'active'])
})

t.test('it refreshes itself, and what it is told stays text', { skip }, async t => {
  const { url, port, app } = await livedIn(t)
  const page = await open(t, url)
  new RawClient(t, port).write(`GET /v1/<img/src=x/onerror=document.title="bad"> HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${expiredJwt()}\r\n\r\n`)
  await page.getByText('<img/src=x/onerror=document.title="bad">').waitFor()
  t.match(await page.locator('#said').textContent(), /^New: token_expired\. Invalid bearer token/, 'a screen reader is told')
  t.equal(await page.title(), 'codex-sidecar')
  t.equal(await page.locator('main img').count(), 0)
  await app.close()
  await page.getByText('codex-sidecar does not answer.').waitFor()
})

t.test('it stays usable with 10,000 verdicts', { skip }, async t => {
  const { url, app } = await livedIn(t)
  rememberMany(app, 9_990)
  const page = await open(t, url)
  const rows = page.locator('#verdicts tr')
  await page.getByText('The 50 used last, of 9995 kept.').waitFor()
  t.equal(await rows.count(), 50)
  await page.getByRole('button', { name: 'Show more' }).click()
  await page.getByText('The 200 used last, of 9995 kept.').waitFor()
  t.equal(await rows.count(), 200)
  await page.getByLabel('Show only').fill('token_rejected')
  await page.getByText('All 1 that fit, of 9995 kept.').waitFor()
  t.match(await rows.allTextContents(), [/inactive/])
  await page.getByLabel('Show only').fill('nonesuch')
  await page.getByText('None of 9995 fits.').waitFor()
})
