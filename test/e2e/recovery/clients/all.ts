import { claude } from './claude.ts'
import type { Client } from './client.ts'
import { codexes } from './codex.ts'
import { editors } from './editors.ts'
import { openclaws } from './openclaw.ts'
import { pages } from './page.ts'
import { sdks } from './sdks.ts'

/** Every client of the harness, those whose turns take longest first. */
export const clients: readonly Client[] = [...openclaws, ...codexes, claude, ...editors, ...sdks, ...pages]
