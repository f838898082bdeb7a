import type { IncomingMessage } from 'node:http'
import { SidecarError } from '../answers/errors.ts'
import type { Route } from '../config/options.ts'
import { valuesOf } from '../wire/headers.ts'
import { pathOf } from '../wire/target.ts'

/**
 * What holds for every request before it is routed. Node's lenient spots are closed here, since two programs that
 * read one request differently are how requests are smuggled.
 * @throws SidecarError
 */
export function checkRequest ({ httpVersion, headers, rawHeaders }: IncomingMessage): void {
  const hosts = valuesOf(rawHeaders, 'host').length
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) {
    throw new SidecarError('invalid_request', { detail: hosts === 0 ? 'the Host field is missing' : 'the Host field is there more than once' })
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new SidecarError('unsupported_transfer_coding', { detail: JSON.stringify(coding.slice(0, 80)) })
  }
  const { expect } = headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw new SidecarError('expectation_failed', { detail: JSON.stringify(expect.slice(0, 80)) })
  }
}

/** What can make a path mean something else than it says: without any of it there is nothing to look for. */
const suspect = /[\\#%.]/
const dotSegment = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/

/**
 * The path must lie beneath its route as it is written, not only after somebody decodes or normalises it: what the
 * guard judged is what the upstream reads. Its query is the upstream's own.
 * @throws SidecarError `invalid_request`
 */
export function checkTarget (target: string, { prefix }: Route): void {
  const path = pathOf(target)
  const beneath = path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/')
  if (beneath && !suspect.test(target)) return
  const plain = path.replace(/%2e/gi, '.').replace(/%2f/gi, '/').replace(/%5c/gi, '\\')
  if (!beneath || path.includes('\\') || target.includes('#') || dotSegment.test(plain)) {
    throw new SidecarError('invalid_request', { detail: 'its path has dot segments, backslashes, a fragment or an encoded prefix' })
  }
}
