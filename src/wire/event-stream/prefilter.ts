import { protocols, type Protocol } from './protocols.ts'

/**
 * A look at many whole events at once, as latin1, several times cheaper than to read each: whether anything in them can matter. It
 * decides nothing: it may say so of a text that only holds the same words, and then they are read. It never passes over
 * what does matter, since that needs the words.
 */
export type Prefilter = (events: string) => boolean

/** Choices are told apart and finish one by one: only deltas of the first, spelled without blanks, are usual. */
const ofChoices = ['\\[DONE\\]', '"finish_reason"(?!:null)', '"index"(?!:0[,}])']

/** No part of it repeats, so that it is linear. */
function prefilterOf ({ terminal, sufficient, choices }: Protocol): Prefilter {
  const names = [...terminal, ...sufficient ?? []].filter(name => name !== 'error').map(name => name.replaceAll('.', '\\.'))
  const pattern = new RegExp([...names, '"error"|event: ?error', ...choices === undefined ? [] : ofChoices].join('|'))
  return events => pattern.test(events)
}

/** One a protocol. */
export const prefilters = Object.fromEntries(Object.entries(protocols).map(([name, protocol]) => [name, prefilterOf(protocol)])) as Readonly<Record<keyof typeof protocols, Prefilter>>
