import { Counter, type CounterConfiguration } from 'prom-client'

/**
 * A counter whose label values come as one list, in the order of its label names. prom-client sorts and joins labels
 * at each count; here that is done when the metrics are asked for.
 */
export function createTally<T extends string> (configuration: Omit<CounterConfiguration<T>, 'collect'> & { labelNames: readonly T[] }) {
  const counts = new Map<string, number>()
  const counter = new Counter({
    ...configuration,
    collect () {
      for (const [values, count] of counts) counter.inc(Object.fromEntries(values.split('\0').map((value, i) => [configuration.labelNames[i], value])) as Record<T, string>, count)
      counts.clear()
    }
  })
  return {
    counter,
    count (...values: readonly string[]): void {
      const key = values.join('\0')
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
}
