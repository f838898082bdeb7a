import type { Credential } from '../../credential/credential.ts'
import { isBare } from './bare.ts'
import { isExplainedBeside } from './beside.ts'
import { overlapWith } from './overlap.ts'
import { quoteOf } from './quote.ts'
import { readSaid, readText } from './said.ts'

/**
 * What an upstream's refusal says, with its name for the request, fit to be said again; empty where it says nothing, or says
 * the credential back. `bare`: whether it gives no reason that can be read.
 */
export function refusalWords (headers: readonly string[], body: Buffer, credential: Credential | undefined): { readonly words: string, readonly bare: boolean } {
  const text = readText(headers, body)
  const { words = '' } = quoteOf(headers, text === undefined ? undefined : readSaid(text)) ?? {}
  const bare = !isExplainedBeside(headers) && (text === undefined || isBare(text))
  return { words: credential === undefined || overlapWith(credential.reveal())(words) ? '' : words, bare }
}
