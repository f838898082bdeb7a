import type { Credential, CredentialReader } from './credential.ts'
import { SidecarError } from './errors.ts'
import { testimonyOf } from './rejection.ts'
import type { Ticket, VerdictCache } from './verdict-cache.ts'
import type { Inactive, Presentation, Source, Validator, Verdict } from './verdict.ts'
import type { LaneName } from './upstream.ts'

/** What the guard decided about one request. */
export interface Decision {
  /** Set where the request must not go upstream: the answer to it. */
  readonly refusal?: SidecarError
  /** Who refused, or who called the token good. */
  readonly source?: Source
  readonly lane: LaneName
  readonly credential?: Credential
  /**
   * Reports the final answer of the upstream to this request; a body that did not arrive whole is undefined.
   * @returns whether it says for certain that the token is dead
   */
  readonly learn: (status: number, headers: readonly string[], body?: Buffer) => boolean
}

export interface GuardOptions {
  read: CredentialReader
  cache: VerdictCache
  /** Checks that need nobody else, cheapest first. They are made for every request. */
  local: readonly { validate: (credential: Credential, presentation: Presentation) => Inactive | undefined }[]
  /** Checks for tokens the cache knows nothing about, cheapest first; the first certain answer wins. */
  remote: readonly Validator[]
}

const ignore = (): boolean => false

/**
 * The only place that decides whether a request may go upstream; HTTP requests and upgrades share it. When it can
 * not tell, it forwards.
 */
export function createGuard ({ read, cache, local, remote }: GuardOptions) {
  const pass = (credential: Credential, ticket: Ticket, verdict: Verdict | undefined): Decision => ({
    credential,
    lane: verdict === undefined ? 'unverified' : 'verified',
    ...(verdict === undefined ? undefined : { source: verdict.source }),
    learn: (status, headers, body) => {
      const testimony = testimonyOf('upstream', status, headers, body)
      cache.learn(ticket, testimony)
      return testimony.kind === 'rejected'
    }
  })

  const refuse = ({ reason, detail, source }: Inactive, credential?: Credential): Decision => ({
    refusal: new SidecarError(reason, { detail }),
    source,
    lane: 'unverified',
    ...(credential === undefined ? undefined : { credential }),
    learn: ignore
  })

  const decide = (credential: Credential, ticket: Ticket, verdict: Verdict | undefined): Decision =>
    verdict?.state === 'inactive' ? refuse(verdict, credential) : pass(credential, ticket, verdict)

  async function ask (credential: Credential, ticket: Ticket, presentation: Presentation): Promise<Decision> {
    for (const validator of remote) {
      const verdict = await validator.validate(credential, presentation)
      if (verdict === undefined) continue
      cache.learn(ticket, verdict.state === 'active' ? { kind: 'accepted' } : { kind: 'rejected', verdict })
      return decide(credential, ticket, verdict)
    }
    return pass(credential, ticket, undefined)
  }

  /** Decides at once where nobody has to be asked, which is nearly always. */
  return function judge (presentation: Presentation): Decision | Promise<Decision> {
    const presented = read(presentation.raw, presentation.route.credential)
    switch (presented.kind) {
      case 'missing':
        return refuse({ state: 'inactive', reason: 'missing_token', source: 'syntax', detail: 'the request has none' })
      case 'malformed':
        return refuse({ state: 'inactive', reason: 'malformed_token', source: 'syntax', detail: presented.detail })
      case 'conflicting':
        return { refusal: new SidecarError('invalid_request', { detail: presented.detail }), source: 'syntax', lane: 'unverified', learn: ignore }
      case 'unjudged':
        return { lane: 'unverified', learn: ignore }
      case 'credential':
    }
    const { credential } = presented
    for (const validator of local) {
      const verdict = validator.validate(credential, presentation)
      if (verdict !== undefined) return refuse(verdict, credential)
    }
    const ticket = cache.ticket(credential, presentation.route)
    const verdict = cache.look(ticket)
    return verdict !== undefined || remote.length === 0
      ? decide(credential, ticket, verdict)
      : ask(credential, ticket, presentation)
  }
}

export type Guard = ReturnType<typeof createGuard>
