import type { ServerResponse } from 'node:http'
import { writeAnswer, type Answer } from '../answers/answer.ts'
import type { Drain } from './drain.ts'

/**
 * Sends answers in our own name. Those of one turn of the event loop leave together at its end: to wake the peer for
 * each of them is a fifth of what a refusal costs under load, and alone none of them waits.
 */
export function createOutbox (drain: Drain) {
  let waiting: { readonly response: ServerResponse, readonly answer: Answer }[] = []
  const leave = (done: () => void): void => {
    const answers = waiting
    waiting = []
    for (const { response, answer } of answers) if (!response.destroyed) writeAnswer(response, answer)
    done()
  }
  return function send (response: ServerResponse, answer: Answer): void {
    if (waiting.push({ response, answer }) === 1) setImmediate(leave, drain.track({}))
  }
}

export type Outbox = ReturnType<typeof createOutbox>
