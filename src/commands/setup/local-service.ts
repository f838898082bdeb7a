import type { LocalService } from '../../status/setup-lines.ts'
import type { CommandContext } from '../command.ts'

/** ms without a request after which OpenClaw may end us: as long as a good verdict lasts. */
const IDLE = 600_000

/** Flags of `setup` itself; all others belong to the program that is to be started. */
const own = new Set(['write', 'undo', 'yes', 'local-service', 'plugin'])

/** The flags that are for the program that is to be started. */
export const givenFlags = (flags: CommandContext['flags']): string[] => Object.entries(flags).filter(([name]) => !own.has(name)).map(([name, value]) => `--${name}=${String(value)}`)

/** How OpenClaw starts this program (its `models.providers.X.localService`), with the flags given. Undefined where it is not known what runs us. */
export function localService ({ self, flags }: Pick<CommandContext, 'self' | 'flags'>, origin: string): LocalService | undefined {
  if (self === undefined) return undefined
  const [command, ...args] = self
  return { command, args: [...args, ...givenFlags(flags)], healthUrl: `${origin}/livez`, idleStopMs: IDLE }
}
