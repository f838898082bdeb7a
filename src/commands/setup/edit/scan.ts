/**
 * Where a pattern that is anchored to its place (`y`) ends there; the place itself where it does not match.
 * @param from UTF-16 units from the text's beginning, as is what it returns
 */
export function past (pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : from
}
