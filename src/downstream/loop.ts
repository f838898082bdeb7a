import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { SidecarError } from '../answers/errors.ts'

/** Recognises requests that come back to this process, by the Via field (RFC 9110 section 7.6.3). */
export function createLoop (pseudonym = `codex-sidecar-${randomBytes(4).toString('hex')}`) {
  const entry = `1.1 ${pseudonym}`
  return {
    /**
     * Our Via entry for a request to this origin. We speak plain HTTP, so only over plain HTTP can a request come
     * back; upstreams on TLS see none of us.
     */
    via: (origin: string): string | undefined => origin.startsWith('http:') ? entry : undefined,

    /** @throws SidecarError `loop_detected` */
    check ({ via }: IncomingHttpHeaders): void {
      if (via?.includes(pseudonym) === true) throw new SidecarError('loop_detected')
    }
  }
}

export type Loop = ReturnType<typeof createLoop>
