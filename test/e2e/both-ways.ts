import type { Test } from 'tap'
import { startSidecar } from '../fixtures/sidecar.ts'
import { startProvider, type ProviderOptions } from './provider.ts'

/**
 * The same upstream twice over: straight, and behind a sidecar of its own. `requests` counts what the client sent,
 * `upstream` what got through.
 */
export async function bothWays (t: Test, options: ProviderOptions = {}) {
  const straight = await startProvider(t, options)
  const behind = await startProvider(t, options)
  const sidecar = await startSidecar(t, { upstream: behind.url, config: { probe: 'first-use' } })
  let requests = 0
  sidecar.app.server.on('request', () => requests++).on('upgrade', () => requests++)
  return {
    straight: { name: 'straight' as const, url: straight.url, upstream: straight, get requests () { return straight.seen.length } },
    sidecar: { name: 'sidecar' as const, url: sidecar.url, upstream: behind, get requests () { return requests } }
  }
}

export type Ways = Awaited<ReturnType<typeof bothWays>>
/** One of the two ways to the upstream. */
export type Way = Ways['straight'] | Ways['sidecar']
