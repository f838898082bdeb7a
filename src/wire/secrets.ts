import { pathOf } from './target.ts'

/** What follows the name of a secret is one, but for a plain word: "the token is invalid". */
const labelled = /((?:bearer|token|key|secret|password|passwd|authorization)\s*(?::|=|is\s)\s*)["']?([^\s"',;)]+)/gi
const withoutLabelled = (found: string, before: string, value: string): string => /^[a-z]{1,15}[.:!]*$/.test(value) ? found : `${before}***`

/** The beginnings of keys and tokens that are known, and what stands where one is named. */
const secrets: readonly [RegExp, string][] = [
  [/\b(?:sk|ek|at|pk|rk|ey|gh[a-z]|xox[a-z])[-_][^\s"',;)]*(?<!\.)/gi, '***'],
  [/\beyJ[^\s"',;)]*(?<!\.)/g, '***'],
  [/\/\/[^\s/@]*@/g, '//***@'],
  [/(https?:\/\/[^\s?#]*)(?:[?#]\S*)?/gi, '$1'],
  [/[A-Za-z0-9+/=_-]{40,}/g, '***']
]

/** Long runs of letters with digits in them. An address of a page is none: its words are short. Each character is looked at a few times only, since a path may be as long as a head. */
const run = /[\w+=~*.-]{20,}/g
const withoutMixed = (found: string): string => /\d/.test(found) && /[A-Za-z]/.test(found) ? '***' : found

/** A text without anything that looks like a secret. */
export const withoutSecrets = (text: string): string =>
  secrets.reduce((words, [pattern, instead]) => words.replace(pattern, instead), text.replace(labelled, withoutLabelled)).replace(run, withoutMixed)

/** What divides a path into its parts. */
const dividers = /([/;,&])/

/** Most parts of paths are such words, in which nothing can hide. */
const plainPath = /^(?:\/(?:[a-z_.]{0,18}|[a-z]\d))*$/

/** Names that upstreams give to what they keep. They open nothing by themselves, and whoever reads a log looks for them. */
const identifier = /^(?:(?:resp|msg|file|batch|msgbatch|conv|thread|run|step|asst|ftjob|vs|upload|item|call|cntr|video|req)[_-][A-Za-z0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** Characters of a path that are looked at: it may be as long as a head, and each of its parts takes some microseconds. */
const LONGEST = 2_000

/** A path's beginning, up to the end of a part: of half a secret nobody could tell what it is. */
function beginning (path: string): string {
  if (path.length <= LONGEST) return path
  const begin = path.slice(0, LONGEST)
  return `${begin.slice(0, Math.max(...['/', ';', ',', '&'].map(divider => begin.lastIndexOf(divider))) + 1)}…`
}

/** A request target as it may be shown: without its query, and without those of its parts that look like a secret. Of a long one its beginning. */
export function shownPath (target: string): string {
  const path = beginning(pathOf(target))
  if (plainPath.test(path)) return path
  return path.replace(/\/\/[^/@]*@/, '//***@').split(dividers).map(part => identifier.test(part) ? part : withoutSecrets(part)).join('')
}
