/** How an answer ended for the client. */
export type Ending =
  | 'whole'
  /** Broken by the upstream, and said so in the stream. */
  | 'explained'
  /** Broken by the upstream, and cut so that it is seen. */
  | 'cut'
  /** Answered in our own name. */
  | 'ours'
  /** The client left first. */
  | 'client_gone'
