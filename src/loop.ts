import { randomBytes } from 'node:crypto'
import { SidecarError } from './errors.ts'
import { valuesOf } from './headers.ts'

/** Recognises requests that come back to this process, by the Via field (RFC 9110 section 7.6.3). */
export function createLoop (pseudonym = `codex-sidecar-${randomBytes(4).toString('hex')}`) {
  return {
    /**
     * Our Via entry for a request to this origin. We speak plain HTTP, so only over plain HTTP can a request come
     * back; upstreams on TLS see none of us.
     */
    via: (origin: string): string | undefined => origin.startsWith('http:') ? `1.1 ${pseudonym}` : undefined,

    /** @throws SidecarError `loop_detected` */
    check (raw: readonly string[]): void {
      if (valuesOf(raw, 'via').some(value => value.includes(pseudonym))) throw new SidecarError('loop_detected')
    }
  }
}

export type Loop = ReturnType<typeof createLoop>
