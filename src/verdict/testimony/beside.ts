import { valuesOf } from '../../wire/headers.ts'

/** Fields in which ChatGPT gives the reason for a refusal whose body gives none. */
const fields = ['x-openai-authorization-error', 'x-error-json'] as const

/** RFC 6750 section 3.1, but for the error that says no more than the status does. */
const error = /(?:^|[\s,])error\s*=\s*"?(?!invalid_token\b)\w/i

/** Whether a refusal gives its reason in its header: such as `insufficient_scope`, or that a proof of another kind is wanted. */
export const isExplainedBeside = (headers: readonly string[]): boolean =>
  fields.some(name => valuesOf(headers, name).length > 0) || valuesOf(headers, 'www-authenticate').some(value => error.test(value))
