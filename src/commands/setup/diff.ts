/** Values that are nobody's business on a screen: by the name before them, or by how they begin. */
const named = /((?:key|token|secret|passw(?:or)?d|auth\w*|cookie)[\w-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*')/gi
const alike = /(["'])(?:sk-|at-|ey[A-Z]|(?:bearer|basic) )[^"']*\1/gi

const shownLine = (line: string): string => line.replace(named, '$1"…"').replace(alike, '"…"')

/** How many lines of each text to leave out so that both go on with the same line, or are at their end. */
function apart (old: readonly string[], now: readonly string[]): readonly [number, number] {
  for (let sum = 1; sum < old.length + now.length; sum++) {
    for (let k = Math.max(0, sum - now.length); k <= Math.min(sum, old.length); k++) if (old[k] === now[sum - k]) return [k, sum - k]
  }
  return [old.length, now.length]
}

/** The lines that an edit takes away and adds, with no others: what stands there may be secret. */
export function diffOf (name: string, before: string, after: string): string {
  const [old, now] = [before, after].map(text => text.split(/\r?\n/)) as [string[], string[]]
  const hunks: string[] = []
  for (let [i, j] = [0, 0]; i < old.length || j < now.length; i++, j++) {
    if (old[i] === now[j]) continue
    const [gone, come] = apart(old.slice(i), now.slice(j))
    hunks.push(`@@ line ${i + 1} @@`, ...old.slice(i, i + gone).map(line => `-${shownLine(line)}`), ...now.slice(j, j + come).map(line => `+${shownLine(line)}`))
    i += gone
    j += come
  }
  return [`--- ${name}`, `+++ ${name}`, ...hunks, ''].join('\n')
}
