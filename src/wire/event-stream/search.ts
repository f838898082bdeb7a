import { protocols, type Protocol } from './protocols.ts'

/**
 * A look at many whole events at once, as latin1, several times cheaper than to read each: where the next thing stands that can
 * matter. It decides nothing: it may find a text that only holds the same words, and then its event is read. It never passes
 * over what does matter, since that needs the words.
 * @param from index at which it begins
 * @returns its index, or -1
 */
export type Search = (events: string, from: number) => number

/** Choices are told apart and finish one by one: only deltas of the first, spelled without blanks, are usual. */
const ofChoices = ['\\[DONE\\]', '"finish_reason"(?!:null)', '"index"(?!:0[,}])']

/** No part of it repeats, so that it is linear. */
function searchOf ({ terminal, sufficient, choices }: Protocol): Search {
  const names = [...terminal, ...sufficient ?? []].filter(name => name !== 'error').map(name => name.replaceAll('.', '\\.'))
  const pattern = new RegExp([...names, '"error"|event: ?error', ...choices === undefined ? [] : ofChoices].join('|'), 'g')
  return (events, from) => {
    pattern.lastIndex = from
    return pattern.exec(events)?.index ?? -1
  }
}

/** One a protocol. */
export const searches = Object.fromEntries(Object.entries(protocols).map(([name, protocol]) => [name, searchOf(protocol)])) as Readonly<Record<keyof typeof protocols, Search>>
