/** What a stream has said of its response: the stuff of an event of ours that is like its own. */
export interface Known {
  /** Number of its last event. */
  sequence: number | undefined
  id: string | undefined
  createdAt: number | undefined
  model: string | undefined
  background: boolean
}
