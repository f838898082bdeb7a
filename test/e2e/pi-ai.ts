import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cachedPackage } from './cached-package.ts'

export const PI_AI = '0.73.1'

/** What a turn of pi-ai ends with; it does not throw. */
export interface AssistantMessage {
  readonly content: readonly { readonly type: string, readonly text?: string }[]
  readonly stopReason: string
  readonly errorMessage?: string
}

/** The part of pi-ai in use here. */
export interface PiAi {
  complete: (model: object, context: object, options: object) => Promise<AssistantMessage>
}

/** Installs pi-ai into the cache, unless it is there: with its libraries for all providers it is too heavy for a dependency. */
export const installPiAi = (): Promise<string> => cachedPackage('@mariozechner/pi-ai', PI_AI)

/** pi-ai itself. */
export async function loadPiAi (): Promise<PiAi> {
  const home = join(await installPiAi(), '@mariozechner', 'pi-ai', 'dist', 'index.js')
  return await import(pathToFileURL(home).href) as PiAi
}
