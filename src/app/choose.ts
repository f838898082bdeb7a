import type { Route } from '../config/options.ts'
import { carries, fieldOf } from '../config/routes.ts'
import { announcedFields, isPreflight } from '../wire/cors.ts'
import { valuesOf } from '../wire/headers.ts'

/** Whether a request has a mark, or is a preflight for one that will have it. */
function has (mark: string, method: string, raw: readonly string[]): boolean {
  const field = fieldOf(mark)
  return carries(mark, valuesOf(raw, field)) ||
    (isPreflight(method, raw) && announcedFields(raw).includes(field) && carries(mark, ['']))
}

/** The first one whose route takes a request with these fields; undefined where each of them lacks a mark. */
export const choose = <R extends { readonly route: Route }>(among: readonly R[], method: string, raw: readonly string[]): R | undefined =>
  among.find(({ route: { marks } }) => marks === undefined || marks.every(mark => has(mark, method, raw)))
