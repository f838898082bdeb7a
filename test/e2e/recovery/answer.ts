import { chatTurn, messagesTurn, responsesTurn, type Turn } from '../../fixtures/streams.ts'

/** What the stand-in's model says; no word of it stands in any client's own texts. */
export const ANSWER = 'alphaword bravoword charlieword deltaword echoword foxtrotword golfword hotelword'

export type Protocol = 'responses' | 'chat' | 'messages'

const turns: readonly [end: RegExp, protocol: Protocol, make: (text: string, model?: string) => Turn][] = [
  [/\/responses$/, 'responses', responsesTurn],
  [/\/chat\/completions$/, 'chat', chatTurn],
  [/\/messages$/, 'messages', messagesTurn]
]

/** The protocol of a path and the whole turn in it; undefined where no model answers. */
export function turnOn (path: string, model?: string): { protocol: Protocol, turn: Turn } | undefined {
  const found = turns.find(([end]) => end.test(path))
  return found && { protocol: found[1], turn: found[2](ANSWER, model) }
}

/** How much of the answer a text holds: all of it, more than all (a half in front of it), a part, nothing. */
export function partOf (text: string): 'whole' | 'whole and a half' | 'half' | 'nothing' {
  const plain = text.replaceAll(/\s+/g, ' ')
  const begun = plain.split('alphaword').length - 1
  if (begun === 0) return 'nothing'
  if (!plain.includes(ANSWER)) return 'half'
  return begun > plain.split(ANSWER).length - 1 ? 'whole and a half' : 'whole'
}
