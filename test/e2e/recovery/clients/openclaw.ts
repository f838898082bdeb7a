import type { Client } from './client.ts'

/** Whole turns of its agent by the Codex route, each in a session of its own, all in one gateway. */
const openclaw = (version: string): Client => ({
  name: `OpenClaw ${version}, whole turn`,
  provider: 'chatgpt',
  protocol: 'responses',
  packages: [`openclaw@${version}`],
  gateway: version,
  start: () => { throw new Error('it runs in a gateway') }
})

/** The version of the report, and the newest. */
export const openclaws: readonly Client[] = ['2026.4.9', '2026.9.6'].map(openclaw)
