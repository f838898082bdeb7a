import type { Route } from '../config/options.ts'
import { carries, fieldOf } from '../config/routes.ts'
import { announcedFields, isPreflight } from '../wire/cors.ts'
import { valuesOf } from '../wire/headers.ts'

interface Routed { readonly route: Route }

/**
 * Where the request behind a preflight will go. It has neither that request's credential nor the values of its fields, only
 * their names: a mark by name is announced; where a mark is a value, or missing, the other names have to tell two routes
 * apart. A field that only one of them takes credentials from, or that is named after its dialect, does.
 */
function foresee<R extends Routed> (among: readonly R[], raw: readonly string[]): R | undefined {
  const announced = announcedFields(raw)
  const carried = (mark: string): boolean => carries(mark, valuesOf(raw, fieldOf(mark))) || (announced.includes(fieldOf(mark)) && carries(mark, ['']))
  const reads = ({ credential }: Route): boolean => credential.length === 0 || announced.some(field => credential.includes(field))
  const plain = among.find(({ route: { marks = [] } }) => marks.every(carried))?.route
  const likely = ({ marks = [], credential, dialect }: Route): boolean =>
    marks.every(mark => carried(mark) || announced.includes(fieldOf(mark)) || (plain !== undefined && !reads(plain))) &&
    announced.some(field => (credential.includes(field) && plain?.credential.includes(field) !== true) || (dialect !== plain?.dialect && field.startsWith(`${dialect}-`)))
  return among.find(({ route }) => route === plain || likely(route))
}

/** The first one whose route takes a request with these fields; undefined where each of them lacks a mark. */
export const choose = <R extends Routed>(among: readonly R[], method: string, raw: readonly string[]): R | undefined => isPreflight(method, raw)
  ? foresee(among, raw)
  : among.find(({ route: { marks } }) => marks === undefined || marks.every(mark => carries(mark, valuesOf(raw, fieldOf(mark)))))
