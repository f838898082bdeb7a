import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTHeaderParameters } from 'jose'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { simulatedClock } from '../fixtures/clock.ts'
import { startSidecar } from '../fixtures/sidecar.ts'
import { bearer } from '../fixtures/token.ts'
import { json, startUpstream } from '../fixtures/upstream.ts'

const [own, other, elliptic] = await Promise.all([generateKeyPair('RS256', { extractable: true }), generateKeyPair('RS256'), generateKeyPair('ES256', { extractable: true })])
const publicKey = async (key: CryptoKey, kid: string): Promise<JWK> => ({ ...await exportJWK(key), kid })
const keySet = { keys: [await publicKey(own.publicKey, 'k1'), await publicKey(elliptic.publicKey, 'e1')] }
const folder = t.testdir({ 'keys.json': JSON.stringify(keySet) })

let made = 0
/** A token that has not been seen before. */
const sign = (key: CryptoKey | Uint8Array, header: JWTHeaderParameters): Promise<string> =>
  new SignJWT({ jti: String(made++) }).setProtectedHeader(header).setExpirationTime('1h').sign(key)

async function setUp (t: Test, source: string) {
  const clock = simulatedClock()
  const upstream = await startUpstream(t, (_request, response) => { json(response, 200, {}) })
  const sidecar = await startSidecar(t, {
    upstream: upstream.url, clock, times: { probe: 300 },
    // The key sets of files are read with the configuration.
    env: { CODEX_SIDECAR_CONFIG: `${t.testdir({ 'c.json': JSON.stringify({ routes: [
      { prefix: '/signed', upstream: upstream.url, jwks: { source } },
      { prefix: '/plain', upstream: upstream.url }
    ] }) })}/c.json` }
  })
  /** The code of our refusal, or undefined where it was forwarded. */
  const ask = async (token: string, path = '/signed'): Promise<string | undefined> => {
    const { statusCode, body } = await request(`${sidecar.url}${path}/x`, { headers: bearer(token) })
    const answer = await body.json() as { error?: { code: string } }
    return statusCode === 200 ? undefined : answer.error?.code
  }
  return { ...sidecar, upstream, clock, ask }
}

/** A place for key sets; its answers can be changed as it runs. */
async function issuer (t: Test) {
  const serves = { status: 200, body: keySet as unknown, hangs: false }
  const server = await startUpstream(t, (_request, response) => { if (!serves.hangs) json(response, serves.status, serves.body) })
  return { ...server, serves, get fetched () { return server.seen.length } }
}

t.test('with the issuer’s keys in a file', async t => {
  const { ask, upstream } = await setUp(t, `${folder}/keys.json`)
  const [header, payload] = (await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })).split('.') as [string, string]
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
  for (const [name, token] of [
    ['another key', await sign(other.privateKey, { alg: 'RS256', kid: 'k1' })],
    ['other claims', `${header}.${Buffer.from('{"admin":true}').toString('base64url')}.${'A'.repeat(342)}`],
    ['no signature at all', none]
  ] as const) {
    for (let i = 0; i < 2; i++) t.equal(await ask(token), 'invalid_signature', name)
  }
  t.equal(upstream.seen.length, 0, 'the upstream has seen none of them')
  for (const [name, token] of [
    ['the issuer’s', await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })],
    ['without a key id', await sign(own.privateKey, { alg: 'RS256' })],
    ['without a key id, by another key', await sign(other.privateKey, { alg: 'RS256' })],
    ['an unknown key id', await sign(other.privateKey, { alg: 'RS256', kid: 'k2' })],
    ['an algorithm that is not on the list', await sign(elliptic.privateKey, { alg: 'ES256', kid: 'e1' })],
    ['an algorithm with a shared secret', await sign(Buffer.from(JSON.stringify(keySet)), { alg: 'HS256', kid: 'k1' })],
    ['no JWT', 'at-opaque']
  ] as const) t.equal(await ask(token), undefined, `${name}: forwarded`)
  t.equal(await ask(none, '/plain'), undefined, 'a route without keys checks nothing')
})

t.test('with the issuer’s keys at a URL', async t => {
  const keys = await issuer(t)
  const { ask } = await setUp(t, `${keys.url}/jwks?x=1`)
  const forged = async () => await ask(await sign(other.privateKey, { alg: 'RS256', kid: 'k1' }))
  t.strictSame(await Promise.all(Array.from({ length: 10 }, forged)), Array.from({ length: 10 }, () => 'invalid_signature'))
  t.equal(await ask(await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
  const elsewhere = await issuer(t)
  const evil = { alg: 'RS256', kid: 'k2', jku: `${elsewhere.url}/jwks`, x5u: `${elsewhere.url}/cert` }
  for (let i = 0; i < 10; i++) t.equal(await ask(await sign(other.privateKey, evil)), undefined)
  t.equal(keys.fetched, 1, 'neither unknown key ids nor forgeries fetch the keys again within a minute')
  t.equal(elsewhere.fetched, 0, 'where a token says its keys are, nobody looks')
  t.match(keys.seen[0], { method: 'GET', url: '/jwks?x=1' })
  t.equal(keys.seen[0]?.headers.authorization, undefined)
})

/** jose keeps its own time by Date.now. */
function passTime (t: Test, ms: number): void {
  const { now } = Date
  Date.now = () => now() + ms
  t.teardown(() => { Date.now = now })
}

t.test('a key that was replaced under its name, and an unknown one, fetch the keys once a minute', async t => {
  const keys = await issuer(t)
  const { ask, clock } = await setUp(t, `${keys.url}/`)
  t.equal(await ask(await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
  keys.serves.body = { keys: [await publicKey(other.publicKey, 'k1')] }
  passTime(t, 61_000)
  clock.advance(61_000)
  t.equal(await ask(await sign(other.privateKey, { alg: 'RS256', kid: 'k1' })), undefined, 'by the new key')
  t.equal(keys.fetched, 2)
  t.equal(await ask(await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })), 'invalid_signature', 'by the old one')
  passTime(t, 61_000)
  clock.advance(61_000)
  for (let i = 0; i < 5; i++) t.equal(await ask(await sign(own.privateKey, { alg: 'RS256', kid: `new-${i}` })), undefined)
  t.equal(keys.fetched, 3)
})

t.test('keys that can not be fetched refuse nobody and are not asked for all the time', async t => {
  for (const [name, change] of Object.entries({
    '500': { status: 500 }, '404': { status: 404 }, '204': { status: 204 }, 'no key set': { body: { nothing: true } }, 'a hang': { hangs: true }
  })) {
    await t.test(name, async t => {
      const keys = await issuer(t)
      Object.assign(keys.serves, change)
      const { ask } = await setUp(t, `${keys.url}/`)
      for (let i = 0; i < 3; i++) t.equal(await ask(await sign(other.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
      t.equal(keys.fetched, 1)
    })
  }
  await t.test('nobody there', async t => {
    const { ask } = await setUp(t, 'http://127.0.0.1:9/jwks')
    for (let i = 0; i < 3; i++) t.equal(await ask(await sign(other.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
  })
  await t.test('down since they were fetched: a mismatch is no proof any more', async t => {
    const keys = await issuer(t)
    const { ask, clock } = await setUp(t, `${keys.url}/`)
    t.equal(await ask(await sign(own.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
    keys.serves.status = 500
    passTime(t, 61_000)
    clock.advance(61_000)
    t.equal(await ask(await sign(other.privateKey, { alg: 'RS256', kid: 'k1' })), undefined)
    t.equal(keys.fetched, 2)
  })
})
