/** Objects whose members are looked at: the event itself, its `response`, and each object of its `choices`. */
export type Place = 'event' | 'response' | 'choice'

/** Their members that matter. */
export const wanted: Readonly<Record<Place, readonly string[]>> = {
  event: ['type', 'sequence_number', 'error', 'object', 'jsonrpc', 'response', 'choices'],
  response: ['id', 'created_at', 'model', 'background'],
  choice: ['index', 'finish_reason']
}

const lengthsOf = (names: readonly string[]): readonly boolean[] => Array.from({ length: 16 }, (_, length) => names.some(name => name.length === length))
/** Lengths that a wanted name can have: of the other names no text need be made. */
export const lengths: Readonly<Record<Place, readonly boolean[]>> = { event: lengthsOf(wanted.event), response: lengthsOf(wanted.response), choice: lengthsOf(wanted.choice) }

/** Members of the event whose own objects are looked into. */
export type Inside = 'response' | 'choices'

const beneathEvent: readonly (Place | undefined)[] = [undefined, 'event']
const beneathResponse: readonly (Place | undefined)[] = [undefined, 'event', 'response']
const beneathChoices: readonly (Place | undefined)[] = [undefined, 'event', undefined, 'choice']

/** The place at a depth, the event itself being at 1, within a member of it. */
export const placeAt = (depth: number, inside: Inside | undefined): Place | undefined =>
  (inside === 'response' ? beneathResponse : inside === 'choices' ? beneathChoices : beneathEvent)[depth]
