import { readFileSync } from 'node:fs'
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser'
import type { Route } from './options.ts'

// What a configuration reads from files; each reader adds what is wrong with its files to the mistakes.

/** JSON with comments; a file that can not be read or parsed adds its mistakes. */
export function readOptions (file: string, mistakes: string[]): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    mistakes.push(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return {}
  }
  const faults: ParseError[] = []
  const content: unknown = parse(text, faults, { allowTrailingComma: true })
  for (const { error, offset } of faults) {
    mistakes.push(`${file}:${text.slice(0, offset).split('\n').length}: ${printParseErrorCode(error)}`)
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content as Record<string, unknown>
  if (faults.length === 0) mistakes.push(`${file}: must hold one JSON object`)
  return {}
}

/** The key sets that routes name as files; those at URLs are fetched when they are needed. */
export function readKeySets (routes: readonly Route[], mistakes: string[]): Record<string, JSONWebKeySet> {
  const keySets: Record<string, JSONWebKeySet> = {}
  for (const { jwks: { source } = { source: 'https:' } } of routes) {
    if (/^https?:/.test(source)) continue
    try {
      const content = JSON.parse(readFileSync(source, 'utf8')) as JSONWebKeySet
      createLocalJWKSet(content)
      keySets[source] = content
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      mistakes.push(`${source}: ${/^E[A-Z]+$/.test(code) ? `cannot be read (${code})` : 'holds no JSON Web Key Set'}`)
    }
  }
  return keySets
}
