/** Values that are nobody's business on a screen. */
const secret = /((?:key|token|secret|passw(?:or)?d)[\w-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*')/gi

/** The lines that an edit takes away and adds, in between what both texts have in common at either end. */
export function diffOf (name: string, before: string, after: string): string {
  const [old, now] = [before, after].map(text => text.split(/\r?\n/)) as [string[], string[]]
  let start = 0
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start++
  let end = 0
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end++
  const part = (sign: string, lines: string[]): string[] => lines.slice(start, lines.length - end).map(line => `${sign}${line.replace(secret, '$1"…"')}`)
  return [`--- ${name}`, `+++ ${name}`, `@@ line ${start + 1} @@`, ...part('-', old), ...part('+', now), ''].join('\n')
}
