import { randomUUID } from 'node:crypto'
import type { GatewayEvent, Operator } from './operator.ts'

/** How one message to the agent ended, as a person at the client sees it. */
export interface Outcome {
  /** `answer`: said in full. `error`: the gateway told of a failure. `silence`: nothing came within the limit. */
  readonly kind: 'answer' | 'error' | 'silence'
  readonly text: string
  /** Milliseconds from sending to the end. */
  readonly ms: number
}

export interface Exchange {
  /** Fulfilled with the first piece of the answer, or with its end. */
  readonly begun: Promise<unknown>
  readonly ended: Promise<Outcome>
}

interface Content { readonly type: string, readonly text?: string }

const textOf = (payload: GatewayEvent['payload']): string => {
  const { content } = (payload['message'] ?? {}) as { content?: readonly Content[] | string }
  return typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('')
}

/** Milliseconds after a failure that is told in an `agent` event: as long, OpenClaw may still try again or say it in the chat. */
const GRACE = 10_000

/** The failure that an `agent` event tells of, where it does: 2026.4 says it nowhere else. */
const failureOf = (payload: GatewayEvent['payload']): string | undefined => {
  const { phase, error } = (payload['data'] ?? {}) as { phase?: string, error?: string }
  return payload['stream'] === 'lifecycle' && phase === 'error' ? error ?? 'failed' : undefined
}

/** A promise with the function that fulfils it. */
function settlement<T> () {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(settle => { resolve = settle })
  return { promise, resolve }
}

/**
 * Sends one message and follows it by its run id. After `limit` milliseconds without an end it is aborted,
 * as a person would do.
 */
export function say (operator: Operator, sessionKey: string, message: string, limit: number): Exchange {
  const started = performance.now()
  const sent = randomUUID()
  const begun = settlement<undefined>()
  const ended = settlement<Outcome>()
  // A message that comes while the session is still tidying up is queued: its own run ends empty, another one answers.
  let run: string | undefined = sent
  let grace: NodeJS.Timeout | undefined
  const end = (kind: Outcome['kind'], text: string, ms = Math.round(performance.now() - started)): void => {
    unwatch()
    clearTimeout(timer)
    clearTimeout(grace)
    begun.resolve(undefined)
    ended.resolve({ kind, text, ms })
  }
  const unwatch = operator.watch(({ name, payload }) => {
    const { runId, state, errorMessage } = payload
    if (run === undefined && payload['sessionKey'] === sessionKey && runId !== sent && typeof runId === 'string' && name === 'chat') run = runId
    if (runId !== run) return
    if (name === 'chat.side_result') { end(payload['isError'] === true ? 'error' : 'answer', String(payload['text'])); return }
    if (name === 'agent') {
      const failure = failureOf(payload)
      const ms = Math.round(performance.now() - started)
      clearTimeout(grace)
      if (failure !== undefined) grace = setTimeout(() => { end('error', failure, ms) }, GRACE)
    }
    if (name !== 'chat') return
    if (state === 'delta') begun.resolve(undefined)
    if (state === 'final' && runId === sent && textOf(payload) === '') run = undefined
    else if (state === 'final') end('answer', textOf(payload))
    if (state === 'error') end('error', typeof errorMessage === 'string' ? errorMessage : textOf(payload))
    if (state === 'aborted') end('error', 'aborted')
  })
  const timer = setTimeout(() => {
    end('silence', `nothing within ${limit / 1000} s`)
    operator.call('chat.abort', { sessionKey, runId: run ?? sent }).catch(() => {}) // it may have ended meanwhile
  }, limit)
  operator.call('chat.send', { sessionKey, message, idempotencyKey: sent }).catch((error: unknown) => { end('error', String(error)) })
  return { begun: begun.promise, ended: ended.promise }
}
