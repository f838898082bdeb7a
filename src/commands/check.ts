import { loadConfig } from '../config.ts'
import { createCredentialReader } from '../credential.ts'
import { SidecarError } from '../errors.ts'
import type { Route } from '../options.ts'
import { systemClock, type Inactive } from '../verdict.ts'
import { createClaimsValidator } from '../validators/claims.ts'
import type { Command } from './command.ts'

/** Longest token read, bytes. */
const LONGEST = 1 << 20

async function read (stdin: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += chunk.toString()
    if (text.length > LONGEST) break
  }
  return text.trim().replace(/^bearer\s+/i, '')
}

/** The route a token looks made for: the first one that would take its kind. */
function routeFor (token: string, routes: readonly Route[], prefix: string | undefined): Route | undefined {
  if (prefix !== undefined) return routes.find(route => route.prefix === prefix.replace(/\/+$/, ''))
  const wanted = token.startsWith('sk-ant-') ? 'anthropic' : 'openai'
  const takes = ({ foreignPrefixes }: Route): boolean => !Object.keys(foreignPrefixes).some(foreign => token.startsWith(foreign))
  return routes.find(route => route.dialect === wanted && takes(route)) ?? routes[0]
}

/** Judges the token on standard input by what can be known here. Exit 1 inactive, 2 could not tell. It never prints the token. */
export const check: Command = async ({ flags: { route: prefix, ...flags }, env, stdin, stdout, stderr }) => {
  const { routes } = loadConfig({ flags, env })
  const token = await read(stdin)
  const route = routeFor(token, routes, prefix)
  if (route === undefined) {
    stderr.write(`codex-sidecar: no route ${JSON.stringify(prefix)}; there are ${routes.map(r => `${r.prefix}/`).join(', ')}\n`)
    return 2
  }
  const raw = ['Authorization', `Bearer ${token}`]
  const presented = createCredentialReader()(raw, ['authorization'])
  const verdict: Inactive | undefined = presented.kind === 'credential'
    ? createClaimsValidator(systemClock).validate(presented.credential, { route, raw })
    : { state: 'inactive', reason: 'malformed_token', source: 'syntax', detail: (presented as { detail: string }).detail }
  if (verdict !== undefined) {
    stdout.write(`inactive on ${route.prefix}/ (${verdict.reason}, by its ${verdict.source}): ${new SidecarError(verdict.reason, { detail: verdict.detail }).message}\n`)
    return 1
  }
  stdout.write(`could not tell for ${route.prefix}/: nothing speaks against it here; only the upstream knows more\n`)
  return 2
}
