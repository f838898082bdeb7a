/** Time as a parameter. */
export interface Clock {
  /** Milliseconds that never run backwards, for how long something holds. */
  monotonic: () => number
  /** Milliseconds since 1970, for what tokens say of themselves. */
  wall: () => number
}

export const systemClock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() }
