import { judgedFields } from '../../config/routes.ts'
import type { Presentation } from '../../credential/presentation.ts'
import type { Upstream } from '../../upstream/upstream.ts'
import { endToEnd, pairsOf, rawOf, valuesOf } from '../../wire/headers.ts'
import { timeOf } from '../../wire/fields/http-date.ts'
import { isOfOneRequest } from '../../wire/fields/request-fields.ts'
import { testimonyOf } from '../testimony/testimony.ts'
import type { ProbeOutcome, Testimony } from '../verdict.ts'

/** Fields of a request that a question has no use for: it has its own kind of answer, and is no page's. */
const unasked = /^(?:accept|accept-encoding)$/

/** Codex's version where the client says none: ChatGPT lists no models to nobody's version. */
const VERSION = '0.169.0'

/** Bytes of an answer that are read at most: its code stands at its beginning. */
const READ = 65_536

/** A version is put into a query, so it may hold nothing that ends one. */
const versionOf = (raw: readonly string[]): string => {
  const [version = ''] = valuesOf(raw, 'version')
  return /^[\w.+-]{1,64}$/.test(version) ? encodeURIComponent(version) : VERSION
}

/**
 * All that the waiting request says of who asks, as it came: an upstream may want a second key, a cookie, or any field
 * that nobody here knows, and refuse a question that comes without. What is about that one request stays behind.
 */
function headersFor ({ raw, route }: Presentation): string[] {
  const kept = pairsOf(endToEnd(raw, judgedFields(route), route.withheld)).filter(([name]) => {
    const field = name.toLowerCase()
    return !isOfOneRequest(field) && !unasked.test(field) // a key among subprotocols can be asked about nowhere else
  })
  return [...kept.flat(), 'accept', 'application/json']
}

/** What an answer of the upstream says, and what to count it as. */
export interface ProbeAnswer { readonly testimony: Testimony, readonly outcome: ProbeOutcome, readonly status?: number }

/** What to count an answer as. */
const outcomeOf = (testimony: Testimony): ProbeOutcome =>
  testimony.kind === 'accepted' ? 'active' : testimony.kind !== 'rejected' ? 'silent' : testimony.reach === 'token' ? 'inactive' : 'ambiguous'

/**
 * Asks the upstream about a token with one authenticated GET, to the same origin as the request itself. It never
 * throws; what fails or takes too long could not tell. The caller has seen that the probe lane has a place.
 * @param path of the route's probe, with its `{version}`
 * @param deadline ms for connecting, the answer and as much of its body as matters
 */
export async function probe (upstream: Upstream, path: string, presentation: Presentation, deadline: number): Promise<ProbeAnswer> {
  const leave = upstream.probe.enter()
  const signal = AbortSignal.timeout(deadline) // never the client's: whoever leaves must not take the answer from the others
  const { rest, ...answer } = await ask(upstream, path, presentation, signal)
  void rest.then(leave, leave)
  return answer
}

/** `rest` settles when nothing of the answer is left on the socket; nobody has to wait for it. */
async function ask (upstream: Upstream, path: string, presentation: Presentation, signal: AbortSignal): Promise<ProbeAnswer & { rest: Promise<unknown> }> {
  const since = upstream.clock.moment()
  try {
    const { statusCode: status, headers, body } = await upstream.probe.request({
      origin: upstream.origin, path: path.replace('{version}', versionOf(presentation.raw)), method: 'GET', headers: headersFor(presentation), signal
    })
    const fields = rawOf(headers)
    // Only a 401 has something to say in its body.
    const [reason, rest] = status === 401 ? [await read(body), Promise.resolve()] : [undefined, body.dump({ limit: READ, signal })]
    const testimony = testimonyOf(upstream.route, 'probe', { status, headers: fields, body: reason })
    upstream.clock.note(timeOf(fields), since)
    return { testimony, outcome: outcomeOf(testimony), status, rest }
  } catch {
    return { testimony: { kind: 'silent' }, outcome: 'failed', rest: Promise.resolve() }
  }
}

/** The body of a 401; undefined where it does not come whole. */
async function read (body: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      size += chunk.length
      if (size > READ) return undefined
    }
    return Buffer.concat(chunks)
  } catch {
    return undefined
  }
}
