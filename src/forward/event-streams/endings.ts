import type { IncomingHttpHeaders } from 'node:http'
import type { Code } from '../../answers/errors.ts'
import type { StreamProtocol } from '../../wire/event-stream/protocols.ts'

/** How a stream broke: it ended in order without its terminal event, was reset, fell silent, could not be parsed, or we shut down. */
export type Break = 'ended' | 'reset' | 'silent' | 'garbled' | 'draining'

/**
 * What is done about it. `cut`: the client's connection ends within the answer, as the upstream's did. `explain`: an event of
 * ours says what happened, and then the answer ends in order. `explain, cut`: the event, and then no orderly end.
 */
export type Deed = 'cut' | 'explain' | 'explain, cut'

export interface EndingRow {
  /** Of which clients, by their `originator` or `User-Agent`; of all where it is missing. */
  readonly client?: RegExp
  /** In which protocols; in all where it is missing. */
  readonly protocols?: readonly StreamProtocol[]
  /** After what; after all of it where it is missing. */
  readonly after?: readonly Break[]
  readonly deed: Deed
  /** What was seen of such clients. */
  readonly evidence: string
}

/**
 * What the clients of models do with each way to end decides (design.md section 4): first that the answer comes wherever it
 * comes directly, then that half of it never looks whole, then the best words. The first row that fits holds.
 */
export const endings: readonly EndingRow[] = [
  {
    client: /^codex[_-]/i, protocols: ['responses'], deed: 'explain',
    evidence: 'Codex CLI 0.169.0: 6 tries after response.failed as after a lost connection, and it shows our words (contract.md section 6, field.md part G)'
  },
  {
    client: /^pi\b/, deed: 'cut',
    evidence: 'OpenClaw 2026.4.9 and 2026.9.6: an answer after a lost connection, none after an event of ours (field.md parts G, J1)'
  },
  {
    client: /^claude-cli\//, after: ['ended'], deed: 'explain',
    evidence: 'Claude Code 2.1.332: where each stream ends in order within its answer it asks without one and has the answer after 3 requests; after an event of ours after 2; where each one is cut it is still at it after two minutes (test/e2e/README.md)'
  },
  {
    deed: 'cut',
    evidence: 'Continue, Claude Code, opencode, cline, kilo: each recovers from a lost connection, or says that there was one (field.md part G)'
  }
]

/** Who asks: `originator` and `User-Agent`, as far as they came. */
export type Client = readonly string[]

export const clientOf = ({ originator, 'user-agent': agent }: IncomingHttpHeaders): Client =>
  [originator, agent].filter(name => typeof name === 'string')

const fits = ({ client: pattern }: EndingRow, client: Client): boolean => pattern === undefined || client.some(name => pattern.test(name))

/** Whether an event of ours can ever be for this client: an event that is not whole is held back for it then. */
export const canExplain = (client: Client, table = endings): boolean => table.some(row => row.deed !== 'cut' && fits(row, client))

/** What is done about a stream that broke. */
export function deedFor (client: Client, protocol: StreamProtocol, how: Break, table = endings): Deed {
  const row = table.find(row => fits(row, client) && row.protocols?.includes(protocol) !== false && row.after?.includes(how) !== false)
  return (row as EndingRow).deed
}

const breaks: Partial<Readonly<Record<Code, Break>>> = { upstream_timeout: 'silent', upstream_protocol: 'garbled', draining: 'draining' }

/** How a stream broke that failed with this code. */
export const breakOf = (code: Code): Break => breaks[code] ?? 'reset'

const happened: Readonly<Record<Break, string>> = {
  ended: 'it ended the stream before it was complete',
  reset: 'it closed its connection before its answer was whole',
  silent: 'its answer fell silent',
  garbled: 'it sent something that is not valid HTTP',
  draining: 'codex-sidecar is shutting down'
}

/**
 * Our words. They hold those by which clients know a lost connection, which they try again: OpenClaw 2026.4.9 "connection
 * error"; 2026.9.6 the last words, with only letters, digits, blanks and hyphens before them (field.md part G).
 */
export const wordsFor = (protocol: StreamProtocol, how: Break): string =>
  `Upstream connection error - ${happened[how]} - stream ended ${protocol === 'chat' ? 'without finish_reason' : 'before a terminal response event'}`
