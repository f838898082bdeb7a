import type { Config } from '../../../config/config.ts'
import { subject, type Finding } from '../finding.ts'
import { filled } from '../../../config/home.ts'
import { judgeBaseUrl } from './base-url.ts'

/** Base URLs that the SDKs take from the environment. The Codex CLI reads none of them. */
const variables = { OPENAI_BASE_URL: { paths: ['/v1', '/backend-api/codex'] }, ANTHROPIC_BASE_URL: { paths: [''], adds: '/v1/messages', only: { '/v1': 'Vercel’s ai (@ai-sdk/anthropic)' } } }

/** Looks at the SDKs' variables, where they are set. */
export function environmentFindings (env: Readonly<Record<string, string | undefined>>, config: Config): Finding[] {
  return Object.entries(variables).flatMap(([name, expected]) => {
    const url = filled(env[name])
    if (url === undefined) return []
    return [judgeBaseUrl(subject('environment.base_url', name), url, { ...expected, mend: to => `export ${name}="${to}"`, elsewhere: 'note' }, config)]
  })
}
