import { detached } from './json/detached.ts'

/** What ends an event; no other line ends are known here. */
export const BLANK = '\n\n'

/** Longest text that is kept, characters. */
const KEPT = 2_048

const NUMBER = '"sequence_number"'

/** The last events in which nothing but their number can matter. They are read once that is asked for: mostly it is not, since the next one has another. */
export class NumberedEvent {
  #events = ''

  /**
   * Keeps the last one that has a number; shorter ones with those beside it, which costs less than to part them.
   * @param events whole ones, as latin1
   * @returns that event where it is too long to be kept, or empty
   */
  keep (events: string): string {
    if (events.length <= KEPT) {
      if (events.includes(NUMBER)) this.#events = events
      return ''
    }
    const at = events.lastIndexOf(NUMBER)
    if (at < 0) return ''
    const before = events.lastIndexOf(BLANK, at)
    const event = events.slice(before < 0 ? 0 : before + BLANK.length, events.indexOf(BLANK, at) + BLANK.length)
    const fits = event.length <= KEPT
    this.#events = fits ? detached(event) : ''
    return fits ? '' : event
  }

  /** Gives away what is kept; empty where nothing is. */
  take (): string {
    const events = this.#events
    this.#events = ''
    return events
  }
}
