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
 * comes directly, then that half of it never looks whole, then the best words. The first row that fits holds. A cut does to
 * each client what the upstream's own would have done; an event of ours stands only where real programs were seen to lose
 * nothing by it and a person gains by its words, and where a client can be told for sure. "For good" is where every stream
 * breaks. Played by `npm run e2e:endings` (each way to end, straight) and `npm run e2e:recovery` (this table).
 */
export const endings: readonly EndingRow[] = [
  {
    client: /^codex[_-]/i, protocols: ['responses'], deed: 'explain',
    evidence: 'Codex CLI 0.169.0, codex-sdk 0.163.0: an answer after one, and 6 tries for good, after a cut and after the events; then its last words are ours instead of "error decoding response body"'
  },
  {
    client: /^(?:pi|openclaw)(?: \(|$)/, protocols: ['responses'], deed: 'explain',
    evidence: 'OpenClaw 2026.4.9 and 2026.9.6: an answer after one, and 4 and 7 requests for good, after a cut and after the events, if these say "connection error"; then "network connection was interrupted" instead of "terminated" and "LLM request timed out". pi-ai 0.73 and 1.5 try neither again, and throw our words'
  },
  {
    client: /^claude-cli\//, after: ['ended'], deed: 'explain',
    evidence: 'Claude Code 2.1.332: where each stream ends in order within its answer it asks without one and has the answer after 3 requests; after an event of ours after 2; where each one is cut it is still at it after two minutes'
  },
  {
    client: /^claude-cli\//, deed: 'cut',
    evidence: 'Claude Code 2.1.332: lost in another way: an answer after one either way. After an event it asks again without a stream: sooner where every stream breaks (0.5 s, cut 178 s), but a long answer then comes in one piece after minutes of silence'
  },
  {
    client: /^(?:opencode|kilo(?:-code)?)\//i, deed: 'cut',
    evidence: 'opencode 1.18.33: an answer after one, 6 requests for good, either way; kilo 7.7.7 tries neither again. Both end a cut with "Connection reset by server", which says as much as our words would'
  },
  {
    client: /^QwenCode\//, deed: 'cut',
    evidence: 'qwen-code 0.24.4: an answer after a cut; after an event only where the head has an x-request-id'
  },
  {
    deed: 'cut',
    evidence: 'Continue 1.5.47 (ls/JS, node-fetch): an answer after a cut, after an event only with "connection reset" in it. cline 3.0.65 (ai-sdk/…) and the SDKs (OpenAI/JS, Anthropic/JS, …) throw either, and what the programs on top of them try again is not known'
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

/**
 * Our words. They hold those by which clients know a lost connection, which they try again: OpenClaw and opencode "connection
 * error", Continue "connection reset" (test/e2e/recovery).
 */
const lost = (happened: string): string => `Upstream connection error (connection reset): ${happened}. Your own connection is unharmed; retry.`

export const words: Readonly<Record<Break, string>> = {
  ended: lost('the stream ended before it was complete'),
  reset: lost('the upstream closed its connection before its answer was whole'),
  silent: lost('the upstream fell silent within its answer'),
  garbled: lost('the upstream sent something that is not valid HTTP'),
  draining: 'Connection error (connection reset): codex-sidecar is shutting down. Retry in a second.'
}
