import { buildApp } from '../../app/app.ts'
import { loadConfig } from '../../config/config.ts'
import { createLog } from '../../telemetry/log.ts'

/**
 * Opens the real program on a free loopback port, with the defaults that everyone gets, before another upstream.
 * @param upstream origin that takes the place of all three
 */
export async function openSidecar (upstream: string): Promise<{ url: string, close: () => Promise<void> }> {
  const config = loadConfig({
    env: {
      CODEX_SIDECAR_CHATGPT_UPSTREAM: `${upstream}/backend-api/`,
      CODEX_SIDECAR_OPENAI_UPSTREAM: `${upstream}/v1/`,
      CODEX_SIDECAR_ANTHROPIC_UPSTREAM: `${upstream}/v1/`,
      CODEX_SIDECAR_LOG_LEVEL: 'silent'
    }
  })
  const app = buildApp({ config, log: createLog({ level: config.logLevel }) })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { url, close: async () => { await app.close() } }
}
