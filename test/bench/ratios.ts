import { median, percentile } from './load.ts'

/** values[workload][figure][peer] = one value a round. */
export type Values = Record<string, Record<string, Record<string, number[]>>>

const short = (value: number): string => value >= 100 ? value.toFixed(0) : value.toFixed(2)

/** Without the turns in which the machine was disturbed, sorted. */
const quiet = (values: readonly number[]): number[] => values.filter(value => !Number.isNaN(value)).sort((a, b) => a - b)

/** Our figures, and what they are to those of each peer: medians of the rounds' ratios, and between what the middle half of them lies. */
export function markdown (values: Values): string {
  const lines = ['| workload | figure | codex-sidecar | ratio to each peer: median of rounds (first to third quartile) |', '| --- | --- | --- | --- |']
  for (const [workload, figures] of Object.entries(values)) {
    for (const [figure, { 'codex-sidecar': usual, 'codex-sidecar beside trouble': troubled, ...others }] of Object.entries(figures)) {
      const ours = usual ?? troubled ?? []
      const ratios = Object.entries(others).map(([peer, theirs]) => {
        const each = quiet(ours.map((value, i) => value / (theirs[i] as number)))
        if (each.length === 0) return `${peer}: no quiet turns` // not after a quarter of an hour, for want of one ratio
        return `${peer} ${short(median(each))} (${short(percentile(each, 25))} to ${short(percentile(each, 75))})`
      })
      lines.push(`| ${workload} | ${figure} | ${short(median(quiet(ours)))} | ${ratios.join('; ')} |`)
    }
  }
  return lines.join('\n')
}
