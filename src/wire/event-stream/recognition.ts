import { protocols, protocolSeen, type EventSeen, type Protocol, type StreamProtocol } from './protocols.ts'

/** Events in a row that belong to no known protocol, after which a stream is known to be no model's. */
const STRANGE = 4

/** Which protocol a stream speaks: what its path lets expect, until its events say so or otherwise. */
export class Recognition {
  #protocol: StreamProtocol
  #strange = 0
  /** Whether its events have said it. */
  settled = false
  /** Those of the protocol; undefined where it is no model's. */
  rules: Protocol | undefined

  /** @param byPath that of its path */
  constructor (byPath: StreamProtocol) {
    this.#protocol = byPath
    this.rules = byPath === 'other' ? undefined : protocols[byPath]
  }

  /** Whether it has said something, and nothing of it belongs to the protocol of its path. */
  get doubtful (): boolean { return this.#strange > 0 && !this.settled }
  /** That of its path as long as it has said nothing, and none as long as nothing that it said belongs to that. */
  get protocol (): StreamProtocol { return this.doubtful ? 'other' : this.#protocol }

  /** Takes in what an event says; to be called until it is settled. */
  take (event: EventSeen): void {
    const seen = protocolSeen(this.#protocol, event)
    if (seen === 'neutral') return
    if (seen !== undefined) this.#settle(seen)
    else if (++this.#strange === STRANGE) this.#settle('other')
  }

  #settle (protocol: StreamProtocol): void {
    this.settled = true
    this.#protocol = protocol
    this.rules = protocol === 'other' ? undefined : protocols[protocol]
  }
}
