import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../../../fixtures/free-port.ts'
import { startSidecar } from '../../recovery/sidecar.ts'
import type { StandIn } from '../../recovery/stand-in.ts'
import { startGateway, type Surroundings } from '../gateway.ts'
import { MODEL, type Config } from '../home.ts'
import type { Installation } from '../installation.ts'

export const WAYS = ['without', 'base URL', 'localService', 'plugin'] as const
export type Way = typeof WAYS[number]

const root = join(import.meta.dirname, '..', '..', '..', '..')
const program = join(root, 'dist', 'main.js')
export const plugin = join(root, 'config', 'openclaw-plugin')

/** Whether a version knows a way: both came with 2026.5. */
export const hasWay = (version: string, way: Way): boolean => !version.startsWith('2026.4.') || way === 'without' || way === 'base URL'

const withPlugin = (config: Config): object => ({
  ...config,
  agents: { defaults: { ...config.agents.defaults, model: { primary: `codex-sidecar/${MODEL}` }, models: { ...config.agents.defaults.models, [`codex-sidecar/${MODEL}`]: {} } } },
  plugins: { ...config.plugins, allow: [...config.plugins.allow, 'codex-sidecar'], load: { paths: [plugin] }, entries: { 'codex-sidecar': { enabled: true } } }
})

export const withLocalService = (port: number) => (config: Config): object => ({
  ...config,
  models: {
    ...config.models,
    providers: { openai: { ...config.models.providers['openai'], localService: { command: process.execPath, args: [program, `--port=${port}`], healthUrl: `http://127.0.0.1:${port}/livez`, idleStopMs: 600_000 } } }
  }
})

/** A gateway that reaches the stand-in on one of the ways; the login is the main agent's. */
export async function startOn (t: Test, way: Way, installation: Installation, upstream: StandIn, token: string) {
  const straight = upstream.urls.chatgpt
  const variables = { CODEX_SIDECAR_CHATGPT_UPSTREAM: `${straight}/backend-api/` }
  const begin = (url: string, surroundings?: Surroundings) =>
    startGateway(t, installation, { main: `${url}/backend-api`, helper: `${url}/backend-api` }, { main: token }, surroundings)
  if (way === 'without') return begin(straight)
  if (way === 'plugin') return begin(straight, { variables, adapt: withPlugin })
  if (way === 'localService') {
    const port = await freePort()
    return begin(`http://127.0.0.1:${port}`, { variables, adapt: withLocalService(port) })
  }
  const sidecar = await startSidecar(upstream)
  t.teardown(() => sidecar.close())
  return begin(sidecar.url)
}
