import { Counter, type CounterConfiguration } from 'prom-client'

/** Counts by their label values, one level for each label. */
type Counts = Map<string, Counts | number>

/** The values that have been counted, with their number. */
function * rows (counts: Counts, before: readonly string[] = []): Generator<[values: string[], count: number]> {
  for (const [value, beneath] of counts) {
    if (typeof beneath === 'number') yield [[...before, value], beneath]
    else yield * rows(beneath, [...before, value])
  }
}

/**
 * A counter whose label values come as one list, in the order of its label names. prom-client sorts and joins labels
 * at each count; here that is done when the metrics are asked for.
 */
export function createTally<T extends string> (configuration: Omit<CounterConfiguration<T>, 'collect'> & { labelNames: readonly T[] }) {
  const { labelNames } = configuration
  const counts: Counts = new Map()
  const counter = new Counter({
    ...configuration,
    collect () {
      for (const [values, count] of rows(counts)) counter.inc(Object.fromEntries(values.map((value, i) => [labelNames[i], value])) as Record<T, string>, count)
      counts.clear()
    }
  })
  return {
    counter,
    count (...values: readonly string[]): void {
      const last = values.length - 1
      let at = counts
      for (let i = 0; i < last; i++) {
        const value = values[i] as string
        let beneath = at.get(value) as Counts | undefined
        if (beneath === undefined) at.set(value, beneath = new Map())
        at = beneath
      }
      const value = values[last] as string
      at.set(value, (at.get(value) as number | undefined ?? 0) + 1)
    }
  }
}
