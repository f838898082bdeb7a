import { valuesOf } from '../../wire/headers.ts'

/** Fields in which ChatGPT gives the reason for a refusal whose body gives none. */
const fields = ['x-openai-authorization-error', 'x-error-json'] as const

/** Parameters of challenges, and those that name what is guarded and say nothing of why it was not opened (RFC 6750 section 3, RFC 9728 section 5.1). */
const parameter = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/g
const silent = /^(?:realm|charset|resource_metadata|authorization_uri)$/i

/** Whether a challenge says why: such as a scope that is wanted, or that a proof of another kind is. An `invalid_token` says no more than the status does. */
const explains = (challenge: string): boolean => [...challenge.matchAll(parameter)].some(([, name = '', quoted, plain]) =>
  !silent.test(name) && !(name.toLowerCase() === 'error' && (quoted ?? plain) === 'invalid_token'))

/** Whether a refusal gives its reason in its header. */
export const isExplainedBeside = (headers: readonly string[]): boolean =>
  fields.some(name => valuesOf(headers, name).length > 0) || valuesOf(headers, 'www-authenticate').some(explains)
