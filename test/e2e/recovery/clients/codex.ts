import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CODEX, config } from '../../codex-binary.ts'
import { PROMPT, type Client } from './client.ts'

const provider = (url: string): string => `[model_providers.x]\nname = "x"\nbase_url = "${url}/v1"\nenv_key = "X_KEY"\nwire_api = "responses"\n`

/** `codex exec` with a provider of one's own, which speaks HTTP only, or with the built-in one, WebSocket first. */
function codex (version: string, built: 'own provider' | 'API key'): Client {
  return {
    name: `Codex CLI ${version}, ${built}`,
    provider: 'openai',
    protocol: 'responses',
    packages: [`@openai/codex@${version}`],
    start: async ({ url, key, home, modules }) => {
      const work = join(home, 'work')
      await mkdir(work)
      await writeFile(join(home, 'config.toml'), config(built === 'own provider'
        ? ['model_provider = "x"', provider(url)]
        : [`openai_base_url = "${url}/v1"\ncli_auth_credentials_store = "file"`, '']))
      if (built === 'API key') await writeFile(join(home, 'auth.json'), JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: key }))
      return {
        command: join(modules, '.bin', 'codex'),
        args: ['exec', '--skip-git-repo-check', '--color', 'never', '-C', work, PROMPT],
        env: { CODEX_HOME: home, X_KEY: key }
      }
    }
  }
}

export const codexes: readonly Client[] = [codex(CODEX, 'own provider'), codex(CODEX, 'API key')]
