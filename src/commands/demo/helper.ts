import { setTimeout } from 'node:timers/promises'
import type { Client } from './client.ts'

/** ms between the requests of a helper: a tenth of what OpenClaw's /btw waits. */
export const PAUSES: readonly number[] = [100, 200, 400]

interface Answer {
  readonly status: number
  /** ms from request to whole answer. */
  readonly took: number
  /** Its `error.message`. */
  readonly message: string
}

/** What one helper went through. */
export interface HelperRun {
  readonly answers: readonly Answer[]
  /** ms until it gave up. */
  readonly took: number
  /** What it then shows its user: the last answer's words. */
  readonly message: string
}

async function ask (client: Client, token: string): Promise<Answer> {
  const start = performance.now()
  const { statusCode, body } = await client.respond(token)
  const { error: { message } } = await body.json() as { error: { message: string } }
  return { status: statusCode, took: performance.now() - start, message }
}

/** Asks as OpenClaw's /btw does: a 401 is tried three times more, whatever `Retry-After` says. */
export async function runHelper (client: Client, token: string): Promise<HelperRun> {
  const start = performance.now()
  let answer = await ask(client, token)
  const answers = [answer]
  const pauses = [...PAUSES]
  while (answer.status === 401 && pauses.length > 0) {
    await setTimeout(pauses.shift())
    answers.push(answer = await ask(client, token))
  }
  return { answers, took: performance.now() - start, message: answer.message }
}
