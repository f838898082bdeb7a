import type { Test } from 'tap'
import { play, type Row } from './play.ts'

/** What one process plays, in whatever namespace it was started. */
export type Series = Parameters<typeof play>[1]

process.on('message', (series: Series) => {
  const undo: (() => unknown)[] = []
  const t = { teardown: (step: () => unknown) => { undo.unshift(step) } } as unknown as Test // all that is asked of it
  play(t, series, (row: Row) => process.send?.({ row }))
    .catch((error: unknown) => process.send?.({ failed: `OpenClaw ${series.version}, ${series.way}: ${String(error)}` }))
    .finally(async () => {
      for (const step of undo) await step()
      process.send?.({ done: true })
    })
})
process.on('disconnect', () => process.exit())
