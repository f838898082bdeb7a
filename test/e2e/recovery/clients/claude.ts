import { join } from 'node:path'
import { PROMPT, type Client } from './client.ts'

export const claude: Client = {
  name: 'Claude Code 2.1.332',
  provider: 'anthropic',
  protocol: 'messages',
  packages: ['@anthropic-ai/claude-code@2.1.332'],
  main: body => body.includes('"tools":[{'),
  start: ({ url, key, home, modules }) => ({
    command: join(modules, '.bin', 'claude'),
    args: ['-p', PROMPT],
    env: {
      ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key, CLAUDE_CONFIG_DIR: join(home, 'claude'),
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_TELEMETRY: '1', DISABLE_AUTOUPDATER: '1', DISABLE_ERROR_REPORTING: '1'
    }
  })
}
