import { basename } from 'node:path'
import { planClaude } from './claude.ts'
import { planCodex } from './codex.ts'
import { planEnvironment } from './environment.ts'
import { planOpenclaw } from './openclaw/openclaw.ts'
import { planOpencode } from './opencode.ts'
import type { Plan, Wanted } from './plan.ts'

/** Clients that want more than the SDKs' variables, by the name of their command. */
const plans = new Map<string, (wanted: Wanted & { readonly command: string }) => Plan>([
  ['codex', planCodex],
  ['claude', planClaude],
  ['openclaw', planOpenclaw],
  ['opencode', planOpencode('opencode')],
  ['kilo', planOpencode('kilo')]
])

/** How the client behind a command is pointed here; what is not known gets the variables. */
export function planFor (command: string, wanted: Wanted): Plan {
  const name = basename(command.replaceAll('\\', '/')).replace(/\.(?:exe|cmd|bat|ps1|js|mjs)$/i, '')
  return (plans.get(name) ?? planEnvironment)({ ...wanted, command })
}
