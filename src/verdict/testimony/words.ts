import type { Credential } from '../../credential/credential.ts'
import { overlapWith } from './overlap.ts'
import { quoteOf } from './quote.ts'
import { readSaid, readText } from './said.ts'

/** What an upstream's refusal says, with its name for the request, fit to be said again; empty where it says nothing, or says the credential back. */
export function refusalWords (headers: readonly string[], body: Buffer | undefined, credential: Credential | undefined): string {
  const text = readText(headers, body)
  const { words = '' } = quoteOf(headers, text === undefined ? undefined : readSaid(text)) ?? {}
  return credential === undefined || overlapWith(credential.reveal())(words) ? '' : words
}
